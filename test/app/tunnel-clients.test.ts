import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import tunnel from '../../tunnel.ts'
import { until } from '../helper.ts'
import { TOKEN, alone, offer, plugged } from '../lib/tunnel/fixture.ts'
import { VERSIONS, runner } from '../lib/tunnel/runner.ts'

// The official clients of three versions, unmodified, against the plugin and against the server of its own.

interface Client {
  task (id: string, input?: unknown): Promise<unknown>
  event (id: string, payload?: unknown): Promise<void>
  eventWithResult (id: string, payload?: unknown): Promise<unknown>
}

const KINDS = ['createHttpClient', 'createHttpSmartClient', 'createHttpMixedClient'] as const

interface ClientConfig {
  token?: string
  timeoutMs?: number
  contexts?: unknown[]
  errorRegistry?: Map<string, unknown>
}

function clientOf (
  version: typeof VERSIONS[number],
  kind: typeof KINDS[number],
  url: string,
  { token = TOKEN, ...rest }: ClientConfig = {}
): Client {
  const package_ = runner(version)
  const make = package_[kind] as unknown as (config: object) => Client
  return make({ baseUrl: `${url}/__runner`, auth: { token }, serializer: new package_.Serializer(), ...rest })
}

async function errorOf (call: Promise<unknown>): Promise<Record<string, unknown>> {
  return await call.then(() => ({ none: true }), error => error)
}

for (const version of VERSIONS) {
  for (const kind of KINDS) {
    t.test(`${version} ${kind}`, async t => {
      for (const make of [plugged, alone]) {
        await t.test(make.name, async t => { await check(t, version, kind, await make(t)) })
      }
    })
  }
}

async function check (
  t: Test, version: typeof VERSIONS[number], kind: typeof KINDS[number], url: string
): Promise<void> {
  const client = clientOf(version, kind, url)
  const echo = async (value: unknown) => await client.task('app.tasks.echo', value)
  t.equal(await client.task('app.tasks.add', { a: 1, b: 2 }), 3)
  t.equal(await client.task('app.tasks.a/b c'), 'slash')
  t.equal(await client.event('app.events.notify', { m: 'hi' }), undefined)
  t.strictSame(await client.eventWithResult('app.events.notify', { m: 'hi' }), { m: 'hi', seen: true })
  t.equal(await client.eventWithResult('app.events.notify'), undefined)
  t.equal(await echo(undefined), undefined)
  t.strictSame(await client.task('app.tasks.types'), {
    d: new Date(0), re: /x/i, m: new Map([[1, 2]]), s: new Set(['a'])
  })
  for (const value of [
    new Date(5), /a+/gi, new Map([['k', { d: new Date(1) }]]), new Set([1]), NaN, -Infinity, 10n, Symbol.for('k'),
    { u: undefined }, 'ü☃', null, [[]]
  ]) {
    t.strictSame(await echo({ value }), { value })
  }
  if (version !== '5.0.0') t.strictSame(await echo(Buffer.from([1, 2, 255])), Buffer.from([1, 2, 255]))
  if (version === '5.5.0') {
    t.strictSame(await echo({ __type: 'Date', __graph: true, '$runner.escape::k': 1 }), {
      __type: 'Date', __graph: true, '$runner.escape::k': 1
    })
  }
  const large = 'x'.repeat(1_000_000)
  t.equal(await echo(large), large)

  t.match(await errorOf(clientOf(version, kind, url, { token: 'wrong' }).task('app.tasks.add')), {
    code: 'UNAUTHORIZED', message: 'Unauthorized'
  })
  t.match(await errorOf(client.task('app.tasks.hidden')), { code: 'FORBIDDEN' })
  t.match(await errorOf(client.event('nope')), { code: 'FORBIDDEN', message: 'Event nope not exposed' })
  t.match(await errorOf(client.task('app.tasks.fail')), { code: 'INTERNAL_ERROR', message: 'Internal Error' })
  t.match(await errorOf(client.task('app.tasks.failTyped')), {
    code: 'INTERNAL_ERROR', id: 'app.errors.quota', data: { limit: 5 }
  })
  t.match(await errorOf(client.eventWithResult('app.events.par', 1)), { code: 'PARALLEL_EVENT_RETURN_UNSUPPORTED' })
  await checkTypedError(t, version, kind, url)
  await checkContext(t, version, kind, url)
  await checkUploads(t, version, kind, client)
  if (kind !== 'createHttpClient') await checkStreams(t, client)
}

async function checkTypedError (
  t: Test, version: typeof VERSIONS[number], kind: typeof KINDS[number], url: string
): Promise<void> {
  const quota = runner(version).r.error<{ message: string, code: string, limit: number }>('app.errors.quota').build()
  const client = clientOf(version, kind, url, { errorRegistry: new Map([[quota.id, quota]]) })
  const error = await errorOf(client.task('app.tasks.failTyped'))
  t.ok(quota.is(error), 'rethrown as what it was thrown as')
  t.match(error, { data: { limit: 5, code: 'Q1' } })
}

async function checkContext (
  t: Test, version: typeof VERSIONS[number], kind: typeof KINDS[number], url: string
): Promise<void> {
  const tenant = runner(version).r.asyncContext<{ t: number, at: Date }>('app.ctx.tenant').build()
  const other = runner(version).r.asyncContext<number>('app.ctx.other').build()
  const client = clientOf(version, kind, url, { contexts: [tenant, other] })
  const value = { t: 1, at: new Date(7) }
  const seen = await other.provide(
    1, async () => await tenant.provide(value, async () => await client.task('app.tasks.whoami'))
  )
  t.strictSame(seen, value)
}

async function checkUploads (
  t: Test, version: typeof VERSIONS[number], kind: typeof KINDS[number], client: Client
): Promise<void> {
  const { createNodeFile } = runner(version)
  const meta = { name: 'a.txt', type: 'text/plain' }
  const answer = { ...meta, bytes: 10, text: 'hello file', note: 'n' }
  if (kind === 'createHttpClient') {
    // as createWebFile makes it
    const file = {
      $runnerFile: 'File', id: 'F1', meta, _web: { blob: new Blob(['hello file'], { type: 'text/plain' }) }
    }
    t.strictSame(await client.task('app.tasks.upload', { note: 'n', file }), answer, 'a blob')
    return
  }
  t.strictSame(
    await client.task('app.tasks.upload', {
      note: 'n', file: createNodeFile(meta, { buffer: Buffer.from('hello file') }, 'F1')
    }),
    answer,
    'a buffer'
  )
  const stream = Readable.from([Buffer.from('hello '), Buffer.from('file')])
  t.strictSame(
    await client.task('app.tasks.upload', { note: 'n', file: createNodeFile(meta, { stream }, 'F1') }),
    answer,
    'a stream'
  )
  const large = Buffer.alloc(5_000_000, 'x')
  t.match(await client.task('app.tasks.upload', { file: createNodeFile(meta, { buffer: large }, 'F1') }), {
    bytes: 5_000_000
  })
}

async function checkStreams (t: Test, client: Client): Promise<void> {
  const body = () => Readable.from([Buffer.from('ping '), Buffer.from('pong')])
  t.equal(
    await text(await client.task('app.tasks.duplex', body()) as Readable), 'ping pong', 'what the task writes itself'
  )
  const streamed = await client.task('app.tasks.streamOut', body()) as Readable
  t.equal(await text(streamed), 'chunk-1;chunk-2', 'what the task gives')
}

t.test('timeouts of clients abort the handler', async t => {
  for (const version of VERSIONS) {
    for (const kind of KINDS) {
      if (version !== '5.5.0' && kind === 'createHttpSmartClient') continue // their timeouts do nothing
      const app = Fastify()
      await app.register(tunnel, { tokens: [TOKEN] })
      const signals: AbortSignal[] = []
      app.tunnel.registerTask('wait', async (_input, { signal }) => await new Promise(() => { signals.push(signal) }))
      t.teardown(async () => { await app.close() })
      const url = await app.listen({ port: 0, host: '127.0.0.1' })
      while (signals.length === 0) { // a busy machine may not get as far as the handler in time
        const error = await errorOf(clientOf(version, kind, url, { timeoutMs: 100 }).task('wait', { a: 1 }))
        t.notOk(error['none'], `${version} ${kind}: ${error['name']} ${error['code']}`)
      }
      await until(() => signals.every(({ aborted }) => aborted))
      t.match(signals[0]!.reason, { message: 'the caller is gone' })
      t.equal(app.tunnel.entries()[0]!.tally.inFlight, signals.length, 'it goes on, and is counted')
    }
  }
})

t.test('a Runner app calls our tasks and events where it called its own', async t => {
  for (const version of VERSIONS) {
    const { r, globals, run } = runner(version)
    const calls: unknown[] = []
    const app = Fastify()
    await app.register(tunnel, { tokens: [TOKEN] })
    offer(app.tunnel)
    app.tunnel.registerTask('orders.price', async ({ items }: { items: number }, { requestId }) => ({
      total: BigInt(items) * 3n, at: new Date(0), requestId
    }))
    app.tunnel.registerEvent('orders.placed', (payload: unknown) => { calls.push(payload) })
    t.teardown(async () => { await app.close() })
    const url = await app.listen({ port: 0, host: '127.0.0.1' })

    let local = 0
    const price = r.task('orders.price').run(async (_input: { items: number }) => {
      local++
      return { total: 0n }
    }).build()
    const placed = r.event<{ id: number }>('orders.placed').build()
    const order = r.task('orders.place').dependencies({ price, placed })
      .run(async (input: { items: number }, { price, placed }) => {
        const priced = await price(input)
        await placed({ id: 7 })
        return priced
      }).build()
    const remote = r.resource('app.remote').tags([globals.tags.tunnel])
      .dependencies({ createClient: globals.resources.httpClientFactory })
      .init(async (_config: void, { createClient }) => {
        const client = createClient({ baseUrl: `${url}/__runner`, auth: { token: TOKEN } })
        return {
          mode: 'client' as const,
          transport: 'http' as const,
          tasks: [price.id],
          events: [placed.id],
          eventDeliveryMode: 'remote-only' as const,
          run: async (task: { id: string }, input: unknown) => await client.task(task.id, input),
          emit: async (event: { id: string, data: unknown }) => { await client.event(event.id, event.data) }
        }
      }).build()
    const running = await run(r.resource('app').register([price, placed, order, remote]).build(), {
      logs: { printThreshold: null }, shutdownHooks: false, errorBoundary: false
    })
    t.match(await running.runTask(order, { items: 14 }), { total: 42n, at: new Date(0), requestId: String }, version)
    t.strictSame(calls, [{ id: 7 }], 'the event arrived')
    t.equal(local, 0, 'nothing ran in the app itself')
    await running.dispose()
  }
})

import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { finished } from 'node:stream/promises'
import { text } from 'node:stream/consumers'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyHttpOptions } from 'fastify'
import t, { type Test } from 'tap'
import tunnel, { FastPath, type TaskHandler, type TunnelPluginOptions } from '../../tunnel.ts'
import { TOKEN, call } from '../lib/tunnel/served.ts'

const HEAD =
  `POST /__runner/task/echo HTTP/1.1\r\nhost: h\r\nx-runner-token: ${TOKEN}\r\ncontent-type: application/json\r\n`
const VALUES = [1, 'plain', 'Grüße, 世界 🙂', { deep: [{ ä: null }] }, 'x'.repeat(70_000)]

const withLength = (value: unknown): Buffer => {
  const body = JSON.stringify({ input: value })
  return Buffer.from(`${HEAD}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}
const inChunks = (value: unknown): Buffer => {
  const body = Buffer.from(JSON.stringify({ input: value }))
  const parts = [body.subarray(0, 5), body.subarray(5)].map(part => Buffer.concat([
    Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')
  ]))
  return Buffer.concat([Buffer.from(`${HEAD}transfer-encoding: chunked\r\n\r\n`), ...parts, Buffer.from('0\r\n\r\n')])
}

/** How the same bytes may arrive. */
const CUTS: Record<string, (bytes: Buffer) => Buffer[]> = {
  'in one piece': bytes => [bytes],
  'head and body apart': bytes =>
    [bytes.subarray(0, bytes.indexOf('\r\n\r\n') + 4), bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)],
  'cut in the body': bytes => [bytes.subarray(0, bytes.indexOf('{') + 5), bytes.subarray(bytes.indexOf('{') + 5)],
  'without its last byte, and that': bytes => [bytes.subarray(0, -1), bytes.subarray(-1)]
}

type Handler = TaskHandler<unknown, unknown>

async function serve (
  t: Test, options: TunnelPluginOptions, handler: Handler = async input => input, host: FastifyHttpOptions<Server> = {}
): Promise<number> {
  const { fastPath } = options
  const app = Fastify({ ...host, ...(fastPath !== undefined && { serverFactory: fastPath.serverFactory }) })
  await app.register(tunnel, { tokens: [TOKEN], ...options })
  app.tunnel.registerTask('echo', handler)
  t.teardown(() => app.close())
  return Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port)
}

/** Answers on one connection, in the order they come. */
async function client (t: Test, port: number): Promise<{
  send (
    pieces: Buffer[]
  ): Promise<void>,
  answer (): Promise<{ id: string, body: { ok: boolean, result: unknown } }>
}> {
  const socket = connect(port, '127.0.0.1').setNoDelay(true)
  await once(socket, 'connect')
  t.teardown(() => { socket.destroy() })
  let received = Buffer.alloc(0)
  socket.on('data', chunk => { received = Buffer.concat([received, chunk]) })
  return {
    async send (pieces) {
      for (const piece of pieces) {
        socket.write(piece)
        for (let n = 0; n < 20; n++) await turn() // so that it goes, and is read, by itself
      }
    },
    async answer () {
      while (true) {
        const end = received.indexOf('\r\n\r\n') + 4
        const head = received.subarray(0, Math.max(end - 2, 0)).toString()
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
        if (end > 3 && received.length >= end + length) {
          const body = JSON.parse(received.subarray(end, end + length).toString())
          received = received.subarray(end + length)
          return { id: /x-runner-request-id: (.*)\r\n/i.exec(head)![1]!, body }
        }
        await once(socket, 'data')
      }
    }
  }
}

for (const path of ['plugin', 'fast path']) {
  t.test(`${path}: a body is the same however it comes, on a connection that stays`, async t => {
    const { send, answer } = await client(t, await serve(t, path === 'plugin' ? {} : { fastPath: new FastPath() }))
    for (const value of VALUES) {
      for (const [name, cut] of Object.entries(CUTS)) {
        for (const written of [withLength(value), inChunks(value)]) {
          await send(cut(written))
          t.strictSame((await answer()).body, { ok: true, result: value }, name)
        }
      }
    }
    await send([Buffer.concat(VALUES.slice(0, 4).flatMap(value => [withLength(value), inChunks(value)]))])
    for (const value of VALUES.slice(0, 4)) {
      t.strictSame((await answer()).body.result, value, 'one behind the other, before an answer')
      t.strictSame((await answer()).body.result, value)
    }
  })
}

t.test('requests without an id get one each', async t => {
  const { send, answer } = await client(t, await serve(t, {}))
  const ids = new Set<string>()
  for (let n = 0; n < 600; n++) { // more than are made at once
    await send([withLength(n)])
    const { id, body } = await answer()
    if (!/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(id)) t.fail(`${id} is no UUID`)
    if (body.result !== n) t.fail('the answer to something else')
    ids.add(id)
  }
  t.equal(ids.size, 600)
})

t.test('who hosts it may close in the very turn of an answer', async t => {
  for (const path of ['plugin', 'fast path']) {
    for (const when of ['while it runs', 'next']) {
      const fastPath = path === 'plugin' ? undefined : new FastPath()
      const app = Fastify(fastPath === undefined ? {} : { serverFactory: fastPath.serverFactory })
      await app.register(tunnel, { tokens: [TOKEN], fastPath })
      const closed = new Promise<void>(resolve => { app.addHook('onClose', async () => { resolve() }) })
      const close = (): void => { app.close().catch(t.error) }
      app.tunnel.registerTask('echo', async () => {
        if (when === 'next') process.nextTick(close)
        else close()
        return 1
      })
      const { send, answer } = await client(t, Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port))
      await send([withLength(1)])
      t.equal((await answer()).body.result, 1)
      const hang = new AbortController()
      t.equal(
        await Promise.race([closed.then(() => 'closed'), sleep(5_000, 'hangs', { signal: hang.signal })]),
        'closed',
        `${path}, ${when}`
      )
      hang.abort()
    }
  }
})

t.test('a host hears of the end of requests', async t => {
  const app = Fastify()
  let [open, ended] = [0, 0]
  app.addHook('onRequest', async ({ raw }) => {
    open++
    raw.once('close', () => { open-- }).once('end', () => { ended++ })
  })
  await app.register(tunnel, { tokens: [TOKEN] })
  app.tunnel.registerTask('echo', async input => input)
  t.teardown(() => app.close())
  const { send, answer } = await client(t, Number(new URL(await app.listen({ port: 0, host: '127.0.0.1' })).port))
  for (let n = 0; n < 20; n++) {
    await send([withLength(n)])
    t.equal((await answer()).body.result, n)
  }
  t.strictSame([open, ended], [0, 20])
})

t.test('a handler may wait for the end of a request that has been read for it', async t => {
  const port = await serve(t, {}, (_input, { request }) => finished(request).then(() => 'ended'))
  const { send, answer } = await client(t, port)
  await send([withLength(1)])
  t.equal((await answer()).body.result, 'ended')
})

t.test('chunks count, not a length beside them, where a host’s parser takes both', async t => {
  const port = await serve(t, {}, undefined, { http: { insecureHTTPParser: true } })
  const { send, answer } = await client(t, port)
  await send([Buffer.from(
    `${HEAD}content-length: 11\r\ntransfer-encoding: chunked\r\n\r\nb\r\n{"input":1}\r\n5\r\nxxxxx\r\n0\r\n\r\n`
  )])
  t.match(await answer(), { body: { ok: false, error: { code: 'INVALID_JSON' } } })
  await send([withLength('next')])
  t.equal((await answer()).body.result, 'next')
})

t.test('a hook of the host’s that sets an encoding, one that takes the body, and its headers', async t => {
  const app = Fastify()
  app.addHook('onRequest', async ({ raw, headers }, reply) => {
    reply.header('x-host', 'é')
    if (headers['x-do'] === 'encode') raw.setEncoding('utf8')
    if (headers['x-do'] === 'take') await text(raw)
  })
  await app.register(tunnel, { tokens: [TOKEN] })
  app.tunnel.registerTask('echo', async input => input)
  t.teardown(() => app.close())
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  for (const value of ['plain', 'Grüße 世界']) {
    const { body, headers } = await call(url, 'echo', { input: value }, { 'x-do': 'encode' })
    t.strictSame(body, { ok: true, result: value })
    t.equal(headers.get('x-host'), 'é', 'as Node writes it')
  }
  t.match(
    await call(url, 'echo', { input: 1 }, { 'x-do': 'take' }),
    { status: 500, body: { error: { code: 'INTERNAL_ERROR' } } },
    'not an input of nothing'
  )
})

t.test('the fast path’s server has the limits that Fastify was given', async t => {
  const port = await serve(t, { fastPath: new FastPath() }, undefined, { maxRequestsPerSocket: 1 })
  const { body, headers } = await call(`http://127.0.0.1:${port}`, 'echo', { input: 1 })
  t.equal(body.result, 1)
  t.equal(headers.get('connection'), 'close', 'after one request')
})

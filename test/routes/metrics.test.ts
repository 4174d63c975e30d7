import hostCors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import t, { type Test } from 'tap'
import { parseOptions } from '../../lib/options.ts'
import { version } from '../../lib/version.ts'
import metrics from '../../plugins/metrics.ts'
import metricsRoutes from '../../routes/metrics.ts'
import { SyncMeter } from '../../lib/sync/metrics.ts'

/** What describes the routes is none of these tests' concern. */
const describing = fp(async () => {}, { name: 'relay-openapi' })

async function relay (fastify: FastifyInstance): Promise<void> {
  await fastify.register(describing)
  await fastify.register(metrics, parseOptions({}))
  await fastify.register(metricsRoutes, parseOptions({}))
}

function build (t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

t.test('JSON, complete, never cached', async t => {
  const app = build(t)
  await relay(app)
  app.metrics.watch(() => ({ connections: 2, peers: 1, documents: 0 }))
  const response = await app.inject('/metrics')
  t.match(response.headers, {
    'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store', vary: 'Accept'
  })
  const { timestamp, uptime, memory, ...rest } = response.json()
  const now = app.metrics.json()
  t.strictSame(Object.keys(response.json()), Object.keys(now))
  t.strictSame(Object.keys(memory).sort(), Object.keys(now.memory).sort())
  t.ok(now.timestamp - timestamp < 60_000 && now.uptime >= uptime)
  t.strictSame(rest, {
    connections: 2, process: { pid: process.pid, version: process.version, platform: process.platform }
  })
  t.equal(memory.total, now.memory.total)
})

t.test('text to whoever prefers it, JSON to everybody else', async t => {
  const app = build(t)
  await relay(app)
  const prometheus = {
    1: 'text/plain;version=0.0.4;q=1,*/*;q=0.1',
    2: 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,' +
      'text/plain;version=0.0.4;q=0.5,*/*;q=0.1',
    3: 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,' +
      'application/openmetrics-text;version=0.0.1;q=0.5,' +
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2'
  }
  const ask = async (accept: string | undefined) =>
    app.inject({ url: '/metrics', headers: accept === undefined ? {} : { accept } })
  for (const accept of [
    'text/plain', 'text/*', 'application/openmetrics-text', 'application/json;q=0.5, text/plain',
    ...Object.values(prometheus)
  ]) {
    const response = await ask(accept)
    t.match(
      [response.statusCode, response.headers],
      [200, { 'content-type': app.metrics.contentType, vary: 'Accept', 'cache-control': 'no-store' }],
      accept
    )
    t.match(response.body, `\nrelay_info{version="${version}",node="${process.version}"} 1\n`)
  }
  for (const accept of [
    undefined, '*/*', 'application/json', 'application/json, text/plain, */*', 'image/png', 'nonsense',
    'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'
  ]) {
    const response = await ask(accept)
    t.match([response.statusCode, response.headers], [200, { 'content-type': /^application\/json/ }], String(accept))
    t.type(response.json().memory.rss, 'number')
  }
})

t.test('HEAD tells the same without the body', async t => {
  const app = build(t)
  await relay(app)
  for (const [accept, type] of [['*/*', /^application\/json/], ['text/plain', /^text\/plain/]] as const) {
    const response = await app.inject({ method: 'HEAD', url: '/metrics', headers: { accept } })
    t.match([response.statusCode, response.body, response.headers], [200, '', {
      'content-type': type, 'cache-control': 'no-store'
    }])
  }
})

t.test('a host’s own Vary is kept', async t => {
  const app = build(t)
  await app.register(hostCors, { origin: ['https://app.example'] })
  await relay(app)
  t.equal((await app.inject('/metrics')).headers.vary, 'Origin, Accept')
})

t.test('two relays in one host, and the host’s own decorator', async t => {
  const app = build(t)
  app.decorate('metrics', undefined as never)
  await app.register(async scope => {
    await relay(scope)
    scope.metrics.include(registry => new SyncMeter(registry)).messageIn('join', 12)
  }, { prefix: '/a' })
  await app.register(relay, { prefix: '/b' })
  const text = async (url: string) => (await app.inject({ url, headers: { accept: 'text/plain' } })).body
  t.match(await text('/a/metrics'), 'relay_received_bytes_total{type="join"} 12')
  t.notMatch(await text('/b/metrics'), 'type="join"')
})

t.test('without plugins/metrics the boot names both', async t => {
  await t.rejects(async () => {
    await build(t).register(metricsRoutes)
  }, { message: /relay-metrics.*relay-routes-metrics/ })
})

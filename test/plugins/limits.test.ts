import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import rateLimit from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import relay, { type RelayOptions } from '../../app.ts'
import { start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'

/** A relay without a socket: asked by `inject`. */
async function embedded (
  t: Test,
  options: RelayOptions & { prefix?: string },
  server: FastifyServerOptions = {},
  host: (app: FastifyInstance) => Promise<void> = async () => {}
): Promise<FastifyInstance> {
  const app = Fastify(server)
  t.teardown(async () => { await app.close() })
  await host(app)
  app.register(relay, { storage: await scratch(t), ...options })
  await app.ready()
  return app
}

/** What an upgrade is answered with: 101, or the refusal. */
async function upgrade (
  t: Test, url: string, headers: Record<string, string> = {}
): Promise<{ status: number, code?: string, retryAfter?: string | undefined, socket: WebSocket }> {
  const socket = new WebSocket(url, { headers })
  t.teardown(() => { socket.terminate() })
  socket.on('error', () => {})
  return await new Promise((resolve, reject) => {
    socket.on('open', () => { resolve({ status: 101, socket }) })
    socket.on('error', reject)
    socket.on('unexpected-response', (request, response) => {
      let body = ''
      response.on('data', data => { body += data })
      response.on('end', () => {
        request.destroy()
        resolve({
          status: response.statusCode!, retryAfter: response.headers['retry-after'], socket, ...JSON.parse(body)
        })
      })
    })
  })
}

t.test('requests of an address, before, at and past the limit; health and metrics go on', async t => {
  const app = await embedded(t, { prefix: '/r', limits: { requestsPerMinute: 3 } })
  for (let n = 0; n < 3; n++) {
    const { statusCode, headers } = await app.inject('/r/')
    t.equal(statusCode, 200)
    t.notOk('x-ratelimit-limit' in headers)
  }
  for (const url of ['/r/', '/r/nowhere', '/r/api/blank-tonk']) {
    const refused = await app.inject(url)
    t.match([refused.statusCode, refused.json(), refused.headers], [429, {
      code: 'RELAY_RATE_LIMITED', error: /^More than 3 requests a minute from your address/
    },
    { 'retry-after': /^\d+$/, 'access-control-allow-origin': '*', 'cache-control': 'no-store' }], url)
  }
  await until(async () => (await app.inject('/r/health/ready')).statusCode === 200)
  for (const url of ['/r/health/live', '/r/health/ready', '/r/metrics']) {
    t.equal((await app.inject(url)).statusCode, 200, url)
  }
  t.equal((await app.inject({ url: '/r/', remoteAddress: '192.0.2.1' })).statusCode, 200, 'others are not concerned')
  t.match(
    (await app.inject({ url: '/r/metrics', headers: { accept: 'text/plain' } })).body,
    /relay_limits_met_total\{limit="requestsPerMinute"\} 3\n/
  )
})

t.test('a wrong token is a request, too', async t => {
  const app = await embedded(t, { tokens: `ann:${'0'.repeat(64)}`, limits: { requestsPerMinute: 2 } })
  const guess = async () =>
    (await app.inject({ url: '/.manifest.tonk', headers: { authorization: 'Bearer guess' } })).statusCode
  t.strictSame([await guess(), await guess(), await guess()], [401, 401, 429])
})

t.test('behind a proxy that is trusted, its clients are counted; behind one that is not, it is', async t => {
  const ask = async (app: FastifyInstance, client: string) =>
    (await app.inject({ url: '/', headers: { 'x-forwarded-for': client } })).statusCode
  const trusted = await embedded(t, { limits: { requestsPerMinute: 1 } }, { trustProxy: ['loopback'] })
  t.strictSame([await ask(trusted, '192.0.2.1'), await ask(trusted, '192.0.2.2'), await ask(trusted, '192.0.2.1')], [
    200, 200, 429
  ])
  t.strictSame(
    [await ask(trusted, '2001:db8::1'), await ask(trusted, '2001:db8::2'), await ask(trusted, '2001:db8:1::1')],
    [200, 429, 200],
    'a /64 is one'
  )
  const plain = await embedded(t, { limits: { requestsPerMinute: 1 } })
  t.strictSame([await ask(plain, '192.0.2.1'), await ask(plain, '192.0.2.2')], [200, 429], 'a claim is not believed')
})

t.test('connections of an address are refused before the upgrade, and counted down when they end', async t => {
  const { ws, http } = await start(t, { limits: { connectionsPerAddress: 2 } })
  const first = await upgrade(t, ws)
  t.strictSame([first.status, (await upgrade(t, ws)).status], [101, 101])
  t.match(await upgrade(t, ws), { status: 429, code: 'RELAY_TOO_MANY_CONNECTIONS', retryAfter: '30' })
  t.equal((await fetch(http)).status, 200, 'requests are none')
  first.socket.close()
  await until(async () => (await upgrade(t, ws)).status === 101)
})

t.test('connections in all, and of a principal', async t => {
  const all = await start(t, { limits: { connections: 1 } })
  t.equal((await upgrade(t, all.ws)).status, 101)
  t.match(await upgrade(t, all.ws), { status: 503, code: 'RELAY_OVERLOADED', retryAfter: '10' })
  const each = await start(t, {
    authenticate: ({ token }) => token === undefined ? null : { id: token }, limits: { connectionsPerPrincipal: 1 }
  })
  t.equal((await upgrade(t, `${each.ws}/?token=ann`)).status, 101)
  t.match(await upgrade(t, `${each.ws}/?token=ann`), {
    status: 429, code: 'RELAY_TOO_MANY_CONNECTIONS', error: /^You have 1/
  })
  t.equal((await upgrade(t, `${each.ws}/?token=bob`)).status, 101)
})

t.test('while the process has too much to do, upgrades and requests are refused; health and metrics are ' +
  'answered', async t => {
  const { ws, http } = await start(t, { limits: { memory: 1 } })
  await until(async () => (await fetch(http)).status === 503) // the first measurement
  const refused = await fetch(http)
  t.match([refused.status, refused.headers.get('retry-after'), await refused.json()], [503, '10', {
    code: 'RELAY_OVERLOADED', error: 'The relay has too much to do at the moment'
  }])
  t.match(await upgrade(t, ws), { status: 503, code: 'RELAY_OVERLOADED', retryAfter: '10' })
  t.equal((await fetch(`${http}/health/live`)).status, 200)
  t.match(
    await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text(),
    /relay_limits_met_total\{limit="memory"\} [1-9]/
  )
})

t.test('pages of other origins open no socket and change nothing', async t => {
  const { ws, http } = await start(t, { origins: 'https://app.example' })
  const evil = { origin: 'https://evil.example' }
  t.equal((await upgrade(t, ws, { origin: 'https://app.example' })).status, 101)
  t.equal((await upgrade(t, ws)).status, 101, 'who sends no origin is no page')
  t.match(await upgrade(t, ws, evil), {
    status: 403, code: 'RELAY_ORIGIN_NOT_ALLOWED', error: /https:\/\/evil\.example/
  })
  const post = async (headers: Record<string, string>) =>
    await fetch(`${http}/api/bundles`, { method: 'POST', body: 'x', headers })
  t.match(await (await post(evil)).json(), { code: 'RELAY_ORIGIN_NOT_ALLOWED' })
  t.match(await (await post({ origin: 'https://app.example' })).json(), { code: 'RELAY_BUNDLE_INVALID' })
  const [theirs, ours] = [await fetch(http, { headers: evil }), await fetch(http, {
    headers: { origin: 'https://app.example' }
  })]
  t.strictSame([theirs, ours].map(({ status, headers }) => [
    status, headers.get('access-control-allow-origin'), headers.get('vary')
  ]),
  [[200, null, 'Origin'], [200, 'https://app.example', 'Origin']])
})

t.test('a source that goes on being refused gets one line', async t => {
  const lines: Array<{ msg: string, source?: string }> = []
  const logger = { level: 'warn', stream: { write: (line: string) => { lines.push(JSON.parse(line)) } } }
  const app = await embedded(t, { tokens: `ann:${'0'.repeat(64)}`, limits: { requestsPerMinute: 5 } }, { logger })
  for (let n = 0; n < 50; n++) await app.inject({ url: '/.manifest.tonk', headers: { authorization: 'Bearer guess' } })
  t.match(lines, [{ source: '127.0.0.1', code: 'RELAY_UNAUTHENTICATED', msg: 'refused: The token is not accepted' }])
  t.equal(lines.length, 1)
})

t.test('a host that has the same plugins decides itself', async t => {
  const host = async (app: FastifyInstance) => {
    await app.register(rateLimit, { max: 2 })
    await app.register(underPressure, { maxEventLoopDelay: 10_000 })
  }
  for (const prefix of ['', '/a']) {
    const app = await embedded(t, { prefix, limits: { requestsPerMinute: 1, memory: 1 } }, {}, host)
    await sleep(10)
    t.strictSame(
      [
        (await app.inject(`${prefix}/`)).statusCode, (await app.inject(`${prefix}/`)).statusCode,
        (await app.inject(`${prefix}/`)).statusCode
      ],
      [200, 200, 429],
      prefix
    )
  }
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(relay, { prefix: '/a', storage: await scratch(t), limits: { requestsPerMinute: 1 } })
  await app.register(relay, { prefix: '/b', storage: await scratch(t), limits: { requestsPerMinute: 2 } })
  await host(app)
  app.get('/own', async () => 'the host’s')
  t.strictSame([(await app.inject('/a/')).statusCode, (await app.inject('/a/')).statusCode], [200, 429])
  t.strictSame(
    [(await app.inject('/b/')).statusCode, (await app.inject('/b/')).statusCode, (await app.inject('/b/')).statusCode],
    [200, 200, 429]
  )
  t.equal((await app.inject('/own')).statusCode, 200)
})

t.test('uploads at once', async t => {
  const { http } = await start(t, { limits: { uploadsPerAddress: 1 } })
  let slow: Socket
  const upload = (): void => {
    slow = connect(Number(new URL(http).port), '127.0.0.1')
    slow.write(
      'POST /api/bundles HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: ' +
        '1000\r\n\r\nPK'
    )
    slow.once('data', () => { // one of those below came first
      slow.destroy()
      upload()
    })
  }
  upload()
  t.teardown(() => { slow.destroy() })
  const post = async () => await fetch(`${http}/api/bundles`, {
    method: 'POST', body: 'x', headers: { 'content-type': 'application/octet-stream' }
  })
  await until(async () => (await post()).status === 429)
  const refused = await post()
  t.match([refused.status, refused.headers.get('retry-after'), await refused.json()], [429, '5', {
    code: 'RELAY_TOO_MANY_UPLOADS'
  }])
  slow!.destroy()
  await until(async () => (await post()).status === 400)
})

t.test('an address behind a proxy is one, whatever its port, and what is none is the proxy’s', async t => {
  const app = await embedded(t, { limits: { requestsPerMinute: 2 }, dashboard: true }, {
    trustProxy: (_address, hop) => hop < 1
  })
  const status = async (forwarded: string, url = '/') =>
    (await app.inject({ url, headers: { host: 'localhost', 'x-forwarded-for': forwarded } })).statusCode
  for (const address of [
    (n: number) => `203.0.113.7:${n}`, (n: number) => `[2001:db8::7]:${n}`, (n: number) => `none, none${n}`
  ]) {
    t.strictSame(
      [await status(address(1)), await status(address(2)), await status(address(3))], [200, 200, 429], address(1)
    )
  }
  t.equal(await status('nobody', '/dashboard'), 429, 'the proxy’s, which has met its limit')
  const other = await embedded(t, { dashboard: true })
  t.equal(
    (await other.inject({ url: '/dashboard', headers: { host: 'localhost', 'x-forwarded-for': 'nobody' } })).statusCode,
    403,
    'passed on by a proxy, so not for this machine only'
  )
})

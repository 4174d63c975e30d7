import t, { type Test } from 'tap'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import Fastify, { type RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { WebSocket } from 'ws'
import relay from '../../app.ts'
import { ACTIONS, type Action } from '../../lib/access/action.ts'
import { newDocumentId } from '../../lib/ids.ts'
import { listen, start, until } from '../helper.ts'
import { issuer, seconds } from '../lib/access/identity/issuer.ts'
import { scratch } from '../scratch.ts'

const TOKEN = 'a-token-of-ann'
const tokens = `ann:${createHash('sha256').update(TOKEN).digest('hex')}`
const isRefusal = (status: number) => status === 401 || status === 403
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** Opens a socket, or gives the answer that refuses it. */
async function upgrade (
  t: Test, url: string, { protocols = [] as string[], headers = {} } = {}
): Promise<{ socket?: WebSocket, status: number, body: { code?: string } }> {
  const socket = new WebSocket(url, protocols, { headers })
  t.teardown(() => { socket.terminate() })
  return await new Promise(resolve => {
    socket.once('open', () => { resolve({ socket, status: 101, body: {} }) })
    socket.once('error', () => {})
    socket.once('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', chunk => { text += chunk }).once('end', () => {
        resolve({ status: response.statusCode!, body: JSON.parse(text) })
      })
    })
  })
}

t.test('a token in every place it may be', async t => {
  const { http, ws } = await start(t, { tokens })
  for (const [url, options] of [
    [`${ws}/`, { headers: bearer(TOKEN) }], [`${ws}/?token=${TOKEN}`, {}],
    [`${ws}/`, { protocols: ['automerge-relay', `bearer.${TOKEN}`] }],
    [`${ws}/`, { protocols: [`bearer.${TOKEN}`, 'automerge-relay'] }]
  ] as const) {
    const { socket, status } = await upgrade(t, url, options as never)
    t.equal(status, 101)
    t.equal(socket?.protocol, 'protocols' in options ? 'automerge-relay' : '', 'never the token')
  }
  for (const [url, options, code] of [
    [`${ws}/`, {}, 'RELAY_UNAUTHENTICATED'], [`${ws}/?token=wrong`, {}, 'RELAY_UNAUTHENTICATED'],
    [`${ws}/?token=%E0%A4`, {}, 'RELAY_UNAUTHENTICATED'],
    [`${ws}/`, { headers: { authorization: `Basic ${TOKEN}` } }, 'RELAY_UNAUTHENTICATED'],
    [`${ws}/`, { protocols: ['bearer.wrong'] }, 'RELAY_UNAUTHENTICATED'],
    [`${ws}/?token=${TOKEN}`, { headers: bearer('wrong') }, 'RELAY_UNAUTHENTICATED']
  ] as const) {
    const { status, body } = await upgrade(t, url, options as never)
    t.match({ status, body }, { status: 401, body: { code, error: String } })
  }
  t.equal((await fetch(`${http}/api/bundles/${newDocumentId()}`, { headers: bearer(TOKEN) })).status, 404)
  t.equal((await fetch(`${http}/api/bundles/${newDocumentId()}?token=${TOKEN}`)).status, 404)
  const refused = await fetch(`${http}/api/bundles/${newDocumentId()}`)
  t.equal(refused.status, 401)
  t.equal(refused.headers.get('www-authenticate'), 'Bearer')
  t.match(await refused.json(), { code: 'RELAY_UNAUTHENTICATED', error: 'A token is needed' })
  t.match(await (await fetch(`${http}/metrics`, { headers: bearer(TOKEN) })).json(), {
    code: 'RELAY_ACCESS_DENIED', error: /metrics:read/
  })
})

t.test('each route says who may use it, and holds to that', async t => {
  const routes: RouteOptions[] = []
  const app = Fastify()
  app.addHook('onRoute', route => { routes.push(route) })
  const storage = await scratch(t)
  const allowed = new Set<Action>()
  app.register(relay, {
    storage,
    anyPath: true,
    dashboard: true,
    authenticate: ({ token }) => token === undefined ? null : { id: token },
    authorize: (principal, action) => principal.id === 'ann' && allowed.has(action)
  })
  const { http, ws } = await listen(t, app)
  t.ok(routes.length > 10)
  const id = newDocumentId()
  for (const { method, url, config } of routes) {
    const access = config?.access
    t.ok(
      access === 'public' ||
        (Array.isArray(access) && access.length > 0 && access.every(action => ACTIONS.includes(action))),
      `${String(method)} ${url} has a rule`
    )
    if (access === undefined) continue
    const path = `${http}${url.replace(':id', id)}`
    for (const name of [method].flat()) {
      if (['CONNECT', 'TRACE'].includes(name)) continue // fetch does not
      const ask = async (headers: Record<string, string> = {}): Promise<number> =>
        (await fetch(path, { method: name, headers, ...name === 'POST' && { body: 'no bundle' } })).status
      const title = `${name} ${url}`
      if (access === 'public') {
        t.notOk(isRefusal(await ask()), title)
        continue
      }
      allowed.clear()
      t.equal(await ask(), 401, `${title} without a token`)
      const reading = /^(document|bundle):/.test(access[0]!) && url.includes(':id')
        ? access[0]!.replace(/:.*/, ':read') as Action
        : undefined
      const refusal = reading === undefined ? 403 : 404
      for (const action of ACTIONS) {
        allowed.clear()
        allowed.add(action)
        if (reading !== undefined && access.includes(action)) allowed.add(reading)
        const status = await ask(bearer('ann'))
        if (access.includes(action)) {
          t.notOk(isRefusal(status) || (status === 404 && url === '/.manifest.tonk'), `${title} for who may ${action}`)
        } else t.equal(status, action === reading ? 403 : refusal, `${title} for who may only ${action}`)
        t.equal(await ask(bearer('bob')), refusal, `${title} for somebody else`)
      }
    }
    if (config?.peers !== true) continue
    const socketUrl = `${ws}${url.replace('*', 'any/where')}`
    t.equal((await upgrade(t, socketUrl)).status, 401)
    for (const action of ACTIONS) {
      allowed.clear()
      allowed.add(action)
      t.equal(
        (await upgrade(t, socketUrl, { headers: bearer('ann') })).status,
        action === 'document:read' ? 101 : 403,
        `a socket for who may only ${action}`
      )
    }
  }
})

t.test('a route without a rule is for who may administer', async t => {
  const app = Fastify()
  const storage = await scratch(t)
  app.register(async scope => {
    await relay(scope, {
      storage,
      authenticate: ({ token }) => token === undefined ? null : { id: token },
      authorize: ({ id }, action) => id === action
    })
    scope.get('/new', async () => 'new')
  })
  const { http } = await listen(t, app)
  t.equal((await fetch(`${http}/new`)).status, 401)
  t.equal((await fetch(`${http}/new`, { headers: bearer('document:read') })).status, 403)
  t.equal((await fetch(`${http}/new`, { headers: bearer('administer') })).status, 200)
})

t.test('an expired token: refused before the upgrade, and 4401 on a live socket', async t => {
  const { file, sign } = await issuer(t)
  const { ws } = await start(t, { jwtKeys: file, jwtTolerance: 0 })
  t.match(await upgrade(t, `${ws}/?token=${await sign({ exp: seconds(-1) })}`), {
    status: 401, body: { code: 'RELAY_TOKEN_EXPIRED' }
  })
  const { socket } = await upgrade(t, `${ws}/?token=${await sign({ exp: seconds(2) })}`)
  const [code, reason] = await once(socket!, 'close')
  t.match({ code, reason: String(reason) }, { code: 4401, reason: /^RELAY_TOKEN_EXPIRED/ })
})

t.test('metrics count what is refused', async t => {
  const { http } = await start(t, { tokens, authorize: (_principal, action) => action === 'metrics:read' })
  await fetch(`${http}/api/bundles/${newDocumentId()}`)
  await fetch(`${http}/api/bundles/${newDocumentId()}`, { headers: bearer(TOKEN) })
  const text = await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain', ...bearer(TOKEN) } })).text()
  t.match(text, 'relay_access_refused_total{code="RELAY_UNAUTHENTICATED"} 1')
  t.match(text, 'relay_access_refused_total{code="RELAY_BUNDLE_NOT_FOUND"} 1')
})

t.test('open by default, which is said when others can reach it', async t => {
  const lines: string[] = []
  const logger = { level: 'warn', stream: { write: (line: string) => { lines.push(line) } } }
  for (const [host, options, warns] of [
    ['127.0.0.1', {}, 0], ['0.0.0.0', { tokens }, 0], ['0.0.0.0', {}, 1]
  ] as const) {
    lines.length = 0
    const storage = await scratch(t)
    const app = Fastify({ logger })
    t.teardown(async () => { await app.close() })
    app.register(relay, { storage, ...options })
    await app.listen({ port: 0, host })
    await until(() => lines.length >= warns) // Fastify does not wait for what is done on listening
    t.equal(
      lines.filter(line => line.includes('NO ACCESS CONTROL')).length, warns, `${host} ${JSON.stringify(options)}`
    )
    t.equal(lines.length, warns)
  }
})

t.test('without access control a connection has no grant, and nothing is asked of one', async t => {
  for (const [options, type] of [[{}, 'undefined'], [{ authenticate: () => ({ id: 'ann' }) }, 'object']] as const) {
    const storage = await scratch(t)
    const grants: unknown[] = []
    const app = Fastify()
    app.register(async scope => {
      await relay(scope, { storage, ...options })
      scope.addHook('onReady', async () => {
        const connect = scope.sync.connect.bind(scope.sync)
        scope.sync.connect = (transport, grant) => {
          grants.push(grant)
          return connect(transport, grant)
        }
      })
    })
    const { ws } = await listen(t, app)
    await upgrade(t, ws)
    t.strictSame(grants.map(grant => typeof grant), [type])
  }
})

t.test('no token gets into the log', async t => {
  const { serverOptions } = await import('../../fastify.config.ts')
  const lines: string[] = []
  const { logger, ...options } = serverOptions({ logLevel: 'trace' })
  const { transport, ...pino } = logger as { transport?: unknown }
  const storage = await scratch(t)
  const app = Fastify({ ...options, logger: { ...pino, stream: { write: (line: string) => { lines.push(line) } } } })
  // as the executable does
  app.register(fp(async fastify => { await relay(fastify, { storage, tokens, anyPath: true }) }))
  const { http, ws } = await listen(t, app)
  for (const path of ['', 'metrics', 'nowhere', 'api/bundles/x', '%zz']) {
    for (const token of [TOKEN, 'secret-but-wrong']) {
      await fetch(`${http}/${path}?a=1&token=${token}&b=2`)
      await fetch(`${http}/${path}`, { headers: bearer(token) })
      await upgrade(t, `${ws}/${path}?TOKEN=${token}`)
      await upgrade(t, `${ws}/${path}`, { protocols: ['automerge-relay', `bearer.${token}`] })
    }
  }
  const peer = await upgrade(t, `${ws}/?token=${TOKEN}`)
  peer.socket!.close()
  t.ok(lines.length > 20)
  t.match(lines.join(''), '?a=1&token=[Redacted]&b=2')
  t.notMatch(lines.join(''), new RegExp(`${TOKEN}|secret-but-wrong`))
})

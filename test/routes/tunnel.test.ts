import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import tunnel, { createTunnelServer, type TunnelPluginOptions } from '../../tunnel.ts'
import { TOKEN, call, serve } from '../lib/tunnel/served.ts'
import { scratch } from '../scratch.ts'

t.test('schemas type, check and write', async t => {
  const { app, url } = await serve(t)
  const input = Type.Object({ a: Type.Number(), b: Type.Number({ default: 10 }) })
  const result = Type.Object({ sum: Type.Number() })
  app.tunnel.registerTask('app.add', { input, result }, async ({ a, b }) => ({ sum: a + b, secret: 1 }))
  // @ts-expect-error: a sum is a number
  app.tunnel.registerTask('app.wrong', { input, result }, async () => ({ sum: 'x' }))
  // @ts-expect-error: there is no c
  app.tunnel.registerTask('app.none', { input }, async ({ c }) => c)
  t.strictSame(
    (await call(url, 'app.add', { input: { a: 1 } })).body,
    { ok: true, result: { sum: 11 } },
    'defaults in, nothing else out'
  )
  const { status, body } = await call(url, 'app.add', { input: { a: 'x' } })
  t.equal(status, 400)
  t.strictSame(body.error, {
    message: 'input/a must be number', code: 'INVALID_INPUT', details: [{ path: '/a', message: 'must be number' }]
  })
  app.tunnel.registerEvent('app.told', { payload: Type.Object({ n: Type.Integer() }) }, ({ n }) => n + 1)
  const told = await fetch(`${url}/__runner/event/app.told`, {
    method: 'POST', headers: { 'x-runner-token': TOKEN }, body: '{"payload":{"n":1},"returnPayload":true}'
  })
  t.strictSame(await told.json(), { ok: true, result: 2 })
  t.throws(() => { app.tunnel.registerTask('app.bad', { input: Type.Unsafe({ type: 'nonsense' }) }, () => 1) }, /type/)
})

t.test('a schema that was registered before the start keeps it from starting when it is none', async t => {
  const app = Fastify()
  await app.register(tunnel, { tokens: [TOKEN] })
  app.tunnel.registerTask('app.bad', { input: Type.Unsafe({ type: 'nonsense' }) }, () => 1)
  await t.rejects(async () => { await app.ready() }, /type/)
})

t.test('an id is taken once', async t => {
  const { app, url } = await serve(t)
  app.tunnel.registerTask('x', () => 1)
  t.throws(() => { app.tunnel.registerTask('x', () => 2) }, /registered already/)
  app.tunnel.registerTask('x', { replace: true }, () => 3)
  t.equal((await call(url, 'x')).body.result, 3)
  t.throws(() => { app.tunnel.registerTask('', () => 2) }, TypeError)
  t.throws(() => { app.tunnel.registerTask('y', 5 as never) }, TypeError)
  app.tunnel.registerEvent('x', () => {})
  t.strictSame([await app.tunnel.getTaskIds(), await app.tunnel.getEventIds()], [['x'], ['x']])
})

t.test('only allowed ids, when they are given', async t => {
  const { app, url } = await serve(t, { allow: ['one', 'missing'] })
  app.tunnel.registerTask('one', () => 1)
  app.tunnel.registerTask('two', () => 2)
  t.equal((await call(url, 'one')).status, 200)
  t.match(await call(url, 'two'), {
    status: 403, body: { error: { code: 'FORBIDDEN', message: 'Task two not exposed' } }
  })
  t.match(await call(url, 'missing'), {
    status: 404, body: { error: { code: 'NOT_FOUND', message: 'Task missing not found' } }
  })
  const discovery = await fetch(`${url}/__runner/discovery`, { headers: { 'x-runner-token': TOKEN } })
  t.strictSame(await discovery.json(), {
    ok: true, result: { allowList: { enabled: true, tasks: ['one'], events: [] } }
  })
})

t.test('who gets in', async t => {
  const prepared = (options: TunnelPluginOptions) => async (t: Test) => {
    const { app, url } = await serve(t, options)
    app.tunnel.registerTask('x', () => 1)
    return url
  }
  const nobody = await prepared({ tokens: [] })(t)
  t.match(await call(nobody, 'x'), {
    status: 500, body: { error: { code: 'AUTH_NOT_CONFIGURED', message: 'Authentication not configured.' } }
  })
  const anybody = await prepared({ tokens: [], allowAnonymous: true })(t)
  t.equal((await fetch(`${anybody}/__runner/task/x`, { method: 'POST' })).status, 200)
  const either = await prepared({
    tokens: ['one', 'two'],
    tokenHeader: 'X-Key',
    validators: [() => {
      throw new Error('no')
    }, async ({ headers, token }) => headers['x-who'] === 'me' && token === 'three', () => 'yes' as never]
  })(t)
  for (const [headers, status] of [
    [{ 'x-key': 'one' }, 200], [{ 'x-key': 'two' }, 200], [{ 'x-key': 'three', 'x-who': 'me' }, 200],
    [{ 'x-key': 'three' }, 401], [{}, 401], [{ 'x-key': 'on' }, 401], [{ 'x-key': 'o'.repeat(5000) }, 401]
  ] as const) {
    t.equal((await call(either, 'x', {}, headers)).status, status, JSON.stringify(headers).slice(0, 40))
  }
  const folder = await scratch(t, { tokens: '# mine\n\nfiled \n', empty: '# none\n' })
  const filed = await prepared({ tokens: [], tokenFile: `${folder}/tokens` })(t)
  t.equal((await call(filed, 'x', {}, { 'x-runner-token': 'filed' })).status, 200)
  await t.rejects(prepared({ tokenFile: `${folder}/empty` })(t), { code: 'RELAY_BAD_OPTION', message: /no token in/ })
  await t.rejects(prepared({ tokenFile: `${folder}/none` })(t), { code: 'RELAY_BAD_OPTION', message: /ENOENT/ })
  await t.rejects(prepared({ tokens: ['with space'] })(t), { code: 'RELAY_BAD_OPTION' })
  await t.rejects(prepared({ maxBody: 0 })(t), { code: 'RELAY_BAD_OPTION', message: /tunnel\.maxBody/ })
})

t.test('the host’s hooks, headers and principal', async t => {
  const { app, url } = await serve(t, {}, app => {
    app.decorateRequest('principal', undefined as never)
    app.addHook('onRequest', async (request, reply) => {
      (request as unknown as { principal: string }).principal = String(request.headers['x-user'])
      reply.header('x-host', 'yes').header('x-frame-options', 'SAMEORIGIN')
      if (request.headers['x-user'] === undefined) return await reply.code(403).send({ error: 'who?' })
    })
  })
  app.tunnel.registerTask('who', (_input, { principal, requestId, headers }) => ({
    principal, requestId, agent: headers['user-agent']
  }))
  t.equal((await call(url, 'who')).status, 403)
  const { body, headers } = await call(url, 'who', {}, { 'x-user': 'ann', 'x-runner-request-id': 'abc' })
  t.match(body.result, { principal: 'ann', requestId: 'abc', agent: 'node' })
  t.match(Object.fromEntries(headers), { 'x-host': 'yes', 'x-frame-options': 'DENY' })
})

t.test('cross-origin requests', async t => {
  const listed = await serve(t, { corsOrigins: ['http://a', /^https:\/\/b\d$/g], corsCredentials: true })
  for (const { app } of [listed]) app.tunnel.registerTask('x', () => 1)
  for (const [origin, allowed] of [
    ['http://a', 'http://a'], ['https://b1', 'https://b1'], ['https://b1', 'https://b1'], ['http://zzz', null]
  ] as const) {
    const { status, headers } = await call(listed.url, 'x', {}, { origin })
    t.equal(status, 200)
    t.equal(headers.get('access-control-allow-origin'), allowed)
    t.match([headers.get('vary'), headers.get('access-control-allow-credentials')], ['Origin', 'true'])
  }
  const open = await serve(t, { corsCredentials: true })
  open.app.tunnel.registerTask('x', () => 1)
  t.equal(
    (await call(open.url, 'x', {}, { origin: 'http://a' })).headers.get('access-control-allow-origin'),
    null,
    'no credentials for everybody'
  )
})

t.test('below a prefix, and with the server of its own', async t => {
  const app = Fastify()
  await app.register(async scope => {
    await scope.register(tunnel, { tokens: [TOKEN], basePath: '//rpc/' })
    scope.tunnel.registerTask('x', () => 'scoped')
  }, { prefix: '/api' })
  t.teardown(async () => { await app.close() })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  const response = await fetch(`${url}/api/rpc/task/x`, { method: 'POST', headers: { 'x-runner-token': TOKEN } })
  t.strictSame(await response.json(), { ok: true, result: 'scoped' })

  t.throws(() => createTunnelServer({ port: 0, host: '0.0.0.0' }), { code: 'RELAY_BAD_OPTION' })
  const server = createTunnelServer({ port: 0, basePath: '/' })
  server.registerTask('x', () => 'root')
  server.registerEvent('e', () => {})
  t.strictSame([await server.getTaskIds(), await server.getEventIds()], [['x'], ['e']])
  const address = await server.listen()
  t.teardown(async () => { await server.close() })
  t.strictSame(
    await (await fetch(`${address}/task/x`, { method: 'POST' })).json(),
    { ok: true, result: 'root' },
    'anybody on this machine'
  )
  t.equal(
    (await fetch(`${address}/task/x`, { method: 'POST', headers: { origin: 'http://page' } })).status,
    401,
    'but no page in a browser'
  )
  t.equal((await fetch(`${address}/discovery`)).status, 200)
})

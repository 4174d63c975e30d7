import { once } from 'node:events'
import { readFile, rm } from 'node:fs/promises'
import http from 'node:http'
import { connect } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import tunnel, { TunnelError, createTunnelServer, type InputFile, type TunnelPluginOptions } from '../../tunnel.ts'
import { until } from '../helper.ts'
import { exchange } from '../lib/tunnel/raw.ts'
import { scratch } from '../scratch.ts'

const TOKEN = 'secret'

async function serve (t: Test, options: TunnelPluginOptions = {}, prepare: (app: FastifyInstance) => void = () => {}): Promise<{ app: FastifyInstance, url: string }> {
  const app = Fastify()
  prepare(app)
  await app.register(tunnel, { tokens: [TOKEN], ...options })
  t.teardown(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

async function call (url: string, id: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<{ status: number, body: { ok: boolean, result?: unknown, error?: { code: string, message: string, details?: unknown } }, headers: Headers }> {
  const response = await fetch(`${url}/__runner/task/${id}`, { method: 'POST', headers: { 'x-runner-token': TOKEN, ...headers }, body: JSON.stringify(body) })
  return { status: response.status, body: await response.json() as never, headers: response.headers }
}

/** Whatever it was that closed it. */
const closed = async (emitter: NodeJS.EventEmitter): Promise<void> => { await new Promise<void>(resolve => { emitter.once('close', resolve) }) }

const part = (name: string, text: string, more = '') => `--bb\r\ncontent-disposition: form-data; name="${name}"${more}\r\n\r\n${text}\r\n`
const sentinel = (id: string) => ({ $runnerFile: 'File', id, meta: { name: `${id}.bin` } })
const FORM = { 'content-type': 'multipart/form-data; boundary=bb', 'x-runner-token': TOKEN }

async function form (url: string, id: string, body: string): Promise<Response> {
  return await fetch(`${url}/__runner/task/${id}`, { method: 'POST', headers: FORM, body })
}

t.test('schemas type, check and write', async t => {
  const { app, url } = await serve(t)
  const input = Type.Object({ a: Type.Number(), b: Type.Number({ default: 10 }) })
  const result = Type.Object({ sum: Type.Number() })
  app.tunnel.registerTask('app.add', { input, result }, async ({ a, b }) => ({ sum: a + b, secret: 1 }))
  // @ts-expect-error: a sum is a number
  app.tunnel.registerTask('app.wrong', { input, result }, async () => ({ sum: 'x' }))
  // @ts-expect-error: there is no c
  app.tunnel.registerTask('app.none', { input }, async ({ c }) => c)
  t.strictSame((await call(url, 'app.add', { input: { a: 1 } })).body, { ok: true, result: { sum: 11 } }, 'defaults in, nothing else out')
  const { status, body } = await call(url, 'app.add', { input: { a: 'x' } })
  t.equal(status, 400)
  t.strictSame(body.error, { message: 'input/a must be number', code: 'INVALID_INPUT', details: [{ path: '/a', message: 'must be number' }] })
  app.tunnel.registerEvent('app.told', { payload: Type.Object({ n: Type.Integer() }) }, ({ n }) => n + 1)
  const told = await fetch(`${url}/__runner/event/app.told`, { method: 'POST', headers: { 'x-runner-token': TOKEN }, body: '{"payload":{"n":1},"returnPayload":true}' })
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
  t.match(await call(url, 'two'), { status: 403, body: { error: { code: 'FORBIDDEN', message: 'Task two not exposed' } } })
  t.match(await call(url, 'missing'), { status: 404, body: { error: { code: 'NOT_FOUND', message: 'Task missing not found' } } })
  const discovery = await fetch(`${url}/__runner/discovery`, { headers: { 'x-runner-token': TOKEN } })
  t.strictSame(await discovery.json(), { ok: true, result: { allowList: { enabled: true, tasks: ['one'], events: [] } } })
})

t.test('who gets in', async t => {
  const prepared = (options: TunnelPluginOptions) => async (t: Test) => {
    const { app, url } = await serve(t, options)
    app.tunnel.registerTask('x', () => 1)
    return url
  }
  const nobody = await prepared({ tokens: [] })(t)
  t.match(await call(nobody, 'x'), { status: 500, body: { error: { code: 'AUTH_NOT_CONFIGURED', message: 'Authentication not configured.' } } })
  const anybody = await prepared({ tokens: [], allowAnonymous: true })(t)
  t.equal((await fetch(`${anybody}/__runner/task/x`, { method: 'POST' })).status, 200)
  const either = await prepared({
    tokens: ['one', 'two'],
    tokenHeader: 'X-Key',
    validators: [() => { throw new Error('no') }, async ({ headers, token }) => headers['x-who'] === 'me' && token === 'three', () => 'yes' as never]
  })(t)
  for (const [headers, status] of [[{ 'x-key': 'one' }, 200], [{ 'x-key': 'two' }, 200], [{ 'x-key': 'three', 'x-who': 'me' }, 200], [{ 'x-key': 'three' }, 401], [{}, 401], [{ 'x-key': 'on' }, 401], [{ 'x-key': 'o'.repeat(5000) }, 401]] as const) {
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
  app.tunnel.registerTask('who', (_input, { principal, requestId, headers }) => ({ principal, requestId, agent: headers['user-agent'] }))
  t.equal((await call(url, 'who')).status, 403)
  const { body, headers } = await call(url, 'who', {}, { 'x-user': 'ann', 'x-runner-request-id': 'abc' })
  t.match(body.result, { principal: 'ann', requestId: 'abc', agent: 'node' })
  t.match(Object.fromEntries(headers), { 'x-host': 'yes', 'x-frame-options': 'DENY' })
})

t.test('time and number of calls are limited', async t => {
  const { app, url } = await serve(t, { concurrency: 2, timeout: 40 })
  let end = (): void => {}
  const waiting = new Promise<void>(resolve => { end = resolve })
  const reasons: unknown[] = []
  app.tunnel.registerTask('wait', { concurrency: 1 }, async (_input, { signal }) => {
    signal.addEventListener('abort', () => reasons.push(signal.reason))
    await waiting
  })
  app.tunnel.registerTask('other', { timeout: 10_000 }, async () => { await waiting })
  app.tunnel.registerTask('quick', () => 1)
  t.match(await call(url, 'wait'), { status: 504, body: { error: { code: 'TIMEOUT' } } })
  t.match(reasons, [{ code: 'TIMEOUT' }], 'its signal told it')
  const limited = await call(url, 'wait')
  t.match(limited, { status: 429, body: { error: { code: 'RATE_LIMITED' } } }, 'it keeps its place until it ends')
  t.equal(limited.headers.get('retry-after'), '1')
  const other = call(url, 'other')
  await until(() => app.tunnel.entries()[1]!.tally.inFlight === 1)
  t.match(await call(url, 'quick'), { status: 503, body: { error: { code: 'OVERLOADED' } } })
  end()
  t.equal((await other).status, 200)
  t.equal((await call(url, 'wait')).status, 200)
  const [tally] = app.tunnel.entries().map(({ tally }) => tally)
  t.strictSame(Object.fromEntries(tally!.results), { TIMEOUT: 1, RATE_LIMITED: 1, ok: 1 })
  t.equal(tally!.inFlight, 0)
})

t.test('a result stream that fails', async t => {
  const { app, url } = await serve(t)
  app.tunnel.registerTask('early', () => new Readable({ read () { this.destroy(new Error('disk')) } }))
  app.tunnel.registerTask('late', () => {
    const stream = new PassThrough()
    stream.write('half')
    setTimeout(() => stream.destroy(new Error('disk')), 20)
    return stream
  })
  t.match(await call(url, 'early'), { status: 500, body: { error: { code: 'STREAM_ERROR', message: 'Internal Error' } } }, 'before anything was sent')
  const response = await fetch(`${url}/__runner/task/late`, { method: 'POST', headers: { 'x-runner-token': TOKEN } })
  t.equal(response.status, 200)
  await t.rejects(response.text(), /terminated/, 'half of it is not taken for the whole')
  await until(() => app.tunnel.entries().every(({ tally }) => tally.results.size === 1)) // its reader knows before
  t.strictSame(app.tunnel.entries().map(({ tally }) => Object.fromEntries(tally.results)), [{ STREAM_ERROR: 1 }, { STREAM_ERROR: 1 }])
  app.tunnel.registerTask('next', () => 'works')
  t.equal((await call(url, 'next')).body.result, 'works')
})

t.test('a reader who leaves ends the stream', async t => {
  const { app, url } = await serve(t)
  const stream = new Readable({ read () { this.push(Buffer.alloc(1000)) } })
  app.tunnel.registerTask('endless', () => stream)
  const request = http.request(`${url}/__runner/task/endless`, { method: 'POST', headers: { 'x-runner-token': TOKEN } })
  request.on('error', () => {}).end()
  const [response] = await once(request, 'response')
  await once(response, 'data')
  request.destroy()
  await closed(stream)
  await until(() => app.tunnel.entries()[0]!.tally.results.size === 1)
  t.strictSame([...app.tunnel.entries()[0]!.tally.results], [['REQUEST_ABORTED', 1]])
})

t.test('a caller who leaves before the body is there is not served', async t => {
  const { app, url } = await serve(t)
  let ran = 0
  app.tunnel.registerTask('x', () => { ran++ })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(`POST /__runner/task/x HTTP/1.1\r\nhost: h\r\nx-runner-token: ${TOKEN}\r\ncontent-length: 100\r\n\r\n{`)
  await sleep(50)
  socket.destroy()
  await until(() => app.tunnel.entries()[0]!.tally.results.has('REQUEST_ABORTED'))
  t.equal(ran, 0)
})

t.test('too much is refused in words, and not read to its end', async t => {
  const { app, url } = await serve(t, { maxBody: 1000 })
  app.tunnel.registerTask('x', () => 1)
  const headers: Array<[string, string]> = [['x-runner-token', TOKEN]]
  const answer = await exchange(url, { method: 'POST', path: '/__runner/task/x', headers, body: 'x'.repeat(1001) })
  t.match(answer, { status: 413, headers: { connection: 'close' }, body: /PAYLOAD_TOO_LARGE/ })
  let sent = 0
  const request = http.request(`${url}/__runner/task/x`, { method: 'POST', headers: { 'x-runner-token': TOKEN } })
  const sending = (async () => {
    while (!request.destroyed && sent < 1e9) if (request.write(Buffer.alloc(10_000)) === false) await Promise.race([once(request, 'drain'), closed(request)]); else sent += 10_000
  })().catch(() => {})
  const gone = closed(request)
  request.on('error', () => {})
  const [response] = await once(request, 'response')
  t.equal(response.statusCode, 413)
  response.on('error', () => {}).resume()
  await gone
  await sending
  t.ok(sent < 1e9, 'the connection ended')
})

t.test('a refused upload is not read for long', async t => {
  const { app, url } = await serve(t)
  app.tunnel.registerTask('x', () => 1)
  const request = http.request(`${url}/__runner/task/x`, { method: 'POST', headers: { 'x-runner-token': 'wrong' } })
  request.on('error', () => {})
  const gone = closed(request)
  const sending = (async () => { for (;;) if (request.destroyed) break; else if (!request.write(Buffer.alloc(100_000))) await Promise.race([once(request, 'drain'), closed(request)]) })().catch(() => {})
  const [response] = await once(request, 'response')
  t.equal(response.statusCode, 401)
  response.on('error', () => {}).resume()
  await gone
  await sending
})

t.test('files', async t => {
  const { app, url } = await serve(t, { maxFile: 100_000, maxField: 10_000 })
  const folder = await scratch(t)
  const started = new PassThrough()
  app.tunnel.registerTask('early', async ({ file }: { file: InputFile }) => {
    started.end()
    let bytes = 0
    for await (const chunk of file.stream()) bytes += chunk.length
    t.throws(() => file.stream(), /read already/)
    return bytes
  })
  app.tunnel.registerTask('keep', async ({ files }: { files: InputFile[] }) => {
    const { path, bytesWritten } = await files[0]!.toTempFile(folder)
    const text = await readFile(path, 'utf8')
    await rm(path)
    return { text, bytesWritten, name: files[0]!.name }
  })
  app.tunnel.registerTask('ignore', () => 'ignored')
  app.tunnel.registerTask('break', async () => { throw new TunnelError(418, { message: 'no', code: 'TEAPOT', details: { at: new Date(0) } }) })
  app.tunnel.registerTask('pipe', ({ file }: { file: InputFile }) => file.stream())

  const manifest = part('__manifest', JSON.stringify({ input: { file: sentinel('A'), files: [sentinel('A')] } }))
  const file = (text: string, id = 'A') => part(`file:${id}`, text, '; filename="x"')
  const whole = (...parts: string[]) => parts.join('') + '--bb--\r\n'

  const request = http.request(`${url}/__runner/task/early`, { method: 'POST', headers: FORM })
  request.write(manifest + '--bb\r\ncontent-disposition: form-data; name="file:A"; filename="x"\r\n\r\nx')
  await once(started, 'finish')
  request.end(`${'x'.repeat(49_999)}\r\n--bb--\r\n`)
  const [response] = await once(request, 'response')
  let answer = ''
  for await (const chunk of response) answer += chunk
  t.equal(answer, '{"ok":true,"result":50000}', 'the task had started before its file came')

  t.strictSame(await (await form(url, 'keep', whole(manifest, file('kept')))).json(), { ok: true, result: { text: 'kept', bytesWritten: 4, name: 'A.bin' } })
  t.strictSame(await (await form(url, 'ignore', whole(manifest, file('y'.repeat(90_000))))).json(), { ok: true, result: 'ignored' })
  const broken = await form(url, 'break', whole(manifest, file('y'.repeat(90_000))))
  t.equal(broken.status, 418)
  t.strictSame(await broken.json(), { ok: false, error: { message: 'no', code: 'TEAPOT', details: { at: { __type: 'Date', value: '1970-01-01T00:00:00.000Z' } } } })
  t.equal(await (await form(url, 'pipe', whole(manifest, file('z'.repeat(90_000))))).text(), 'z'.repeat(90_000), 'a result made of the file')
  t.match(await (await form(url, 'early', whole(manifest, file('x'.repeat(100_001))))).json(), { error: { code: 'PAYLOAD_TOO_LARGE', message: 'File size limit exceeded' } })
  t.match(await (await form(url, 'early', whole(file('x'.repeat(10_001)), manifest))).json(), { error: { code: 'PAYLOAD_TOO_LARGE', message: /send the manifest first/ } })
  t.match(await (await form(url, 'early', whole(manifest, file('x', 'B')))).json(), { error: { code: 'MISSING_FILE_PART', message: 'Internal Error' } })
  t.match(await (await form(url, 'ignore', whole(manifest, file('x', 'B')))).json(), { error: { code: 'MISSING_FILE_PART' } }, 'wins over the result')
})

t.test('a caller who leaves in the middle of a file', async t => {
  const { app, url } = await serve(t)
  const failed = new Promise<Error>(resolve => {
    app.tunnel.registerTask('x', async ({ file }: { file: InputFile }) => { for await (const chunk of file.stream()) if (chunk === null) break; return 1 })
    app.tunnel.registerTask('y', async ({ file }: { file: InputFile }) => { file.stream().on('error', resolve).resume(); await new Promise(() => {}) })
  })
  const request = http.request(`${url}/__runner/task/y`, { method: 'POST', headers: FORM })
  request.on('error', () => {}).write(part('__manifest', JSON.stringify({ input: { file: sentinel('A') } })) + '--bb\r\ncontent-disposition: form-data; name="file:A"; filename="x"\r\n\r\nabc')
  await until(() => app.tunnel.entries()[1]!.tally.inFlight === 1)
  request.destroy()
  t.match(await failed, { code: 'REQUEST_ABORTED' })
})

t.test('cross-origin requests', async t => {
  const listed = await serve(t, { corsOrigins: ['http://a', /^https:\/\/b\d$/g], corsCredentials: true })
  for (const { app } of [listed]) app.tunnel.registerTask('x', () => 1)
  for (const [origin, allowed] of [['http://a', 'http://a'], ['https://b1', 'https://b1'], ['https://b1', 'https://b1'], ['http://zzz', null]] as const) {
    const { status, headers } = await call(listed.url, 'x', {}, { origin })
    t.equal(status, 200)
    t.equal(headers.get('access-control-allow-origin'), allowed)
    t.match([headers.get('vary'), headers.get('access-control-allow-credentials')], ['Origin', 'true'])
  }
  const open = await serve(t, { corsCredentials: true })
  open.app.tunnel.registerTask('x', () => 1)
  t.equal((await call(open.url, 'x', {}, { origin: 'http://a' })).headers.get('access-control-allow-origin'), null, 'no credentials for everybody')
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
  t.strictSame(await (await fetch(`${address}/task/x`, { method: 'POST' })).json(), { ok: true, result: 'root' }, 'anybody on this machine')
  t.equal((await fetch(`${address}/task/x`, { method: 'POST', headers: { origin: 'http://page' } })).status, 401, 'but no page in a browser')
  t.equal((await fetch(`${address}/discovery`)).status, 200)
})

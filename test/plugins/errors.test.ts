import { once } from 'node:events'
import type { Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import multipart from '@fastify/multipart'
import Fastify, { type FastifyHttpOptions, type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { RelayError } from '../../lib/errors.ts'
import errors, { answerError } from '../../plugins/errors.ts'
import expectations from '../../plugins/expectations.ts'
import hostHeader from '../../plugins/host-header.ts'
import notFound from '../../plugins/not-found.ts'

/** What the executable gives to Fastify, as far as errors go. */
const standalone: FastifyHttpOptions<Server> = {
  frameworkErrors: answerError,
  http: { requireHostHeader: false }
}

const teapot = Object.assign(new Error('no coffee'), { statusCode: 418, code: 'TEAPOT' })

/** A relay of nothing but errors. */
async function relay (fastify: FastifyInstance): Promise<void> {
  await fastify.register(errors)
  await fastify.register(notFound)
  await fastify.register(hostHeader)
  await fastify.register(expectations)
  fastify.get('/ok', async () => 'ok')
  fastify.get('/item/:id', async () => 'ok')
  fastify.get('/unavailable', async () => { throw new RelayError('RELAY_STORE_UNAVAILABLE', 'The store is away') })
  fastify.get('/broken', async () => { throw new Error('secret at /etc/passwd') })
  fastify.get('/teapot', async () => { throw teapot })
  fastify.get('/busy', async () => { throw Object.assign(new Error('Too busy'), { statusCode: 503 }) })
  fastify.get('/upstream', async () => { throw Object.assign(new Error('secret'), { statusCode: 502 }) })
  fastify.get(
    '/number', { schema: { querystring: { type: 'object', properties: { n: { type: 'integer' } } } } }, async () => 'ok'
  )
  fastify.post('/json', { bodyLimit: 100 }, async () => 'ok')
}

interface Line { level: number, msg: string, err?: object }

function logging (): { app: FastifyInstance, lines: Line[] } {
  const lines: Line[] = []
  return { app: Fastify({ logger: { stream: { write: line => { lines.push(JSON.parse(line)) } } } }), lines }
}

async function start (t: Test, app: FastifyInstance): Promise<number> {
  t.teardown(() => app.close())
  await app.listen({ port: 0, host: '127.0.0.1' })
  return (app.server.address() as AddressInfo).port
}

/** Sends bytes and reads until the server closes. */
async function exchange (
  port: number, bytes: string
): Promise<{ status: number, type: string | undefined, body: string }> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', chunk => { text += chunk.toString() })
  socket.end(bytes)
  await once(socket, 'close')
  const [head = '', ...body] = text.split('\r\n\r\n')
  return {
    status: Number(head.split(' ')[1]), type: /^content-type: (.*)/im.exec(head)?.[1], body: body.join('\r\n\r\n')
  }
}

t.test('a failing disk is told without its path, which goes to the log', async t => {
  const { app, lines } = logging()
  t.teardown(() => app.close())
  await app.register(errors)
  app.get('/', async () => { throw new RelayError('RELAY_STORAGE_FAILED', 'storage /var/secret: ENOSPC') })
  const response = await app.inject('/')
  t.equal(response.statusCode, 503)
  t.strictSame(response.json(), { error: 'The storage cannot be used at the moment', code: 'RELAY_STORAGE_FAILED' })
  t.ok(lines.some(({ err }) => JSON.stringify(err ?? '').includes('/var/secret')))
})

t.test('a relay error tells its message and its code, with its status', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await relay(app)
  const response = await app.inject('/unavailable')
  t.equal(response.statusCode, 503)
  t.strictSame(response.json(), { error: 'The store is away', code: 'RELAY_STORE_UNAVAILABLE' })
  t.match(response.headers, {
    'retry-after': '5', 'cache-control': 'no-store', 'content-type': 'application/json; charset=utf-8'
  })
  t.equal((await app.inject({ method: 'HEAD', url: '/unavailable' })).body, '')
})

t.test('an error that nobody meant for the client goes to the log only', async t => {
  const { app, lines } = logging()
  t.teardown(() => app.close())
  await relay(app)
  const odd = ['text', null, undefined, 7, { statusCode: 200 }, { statusCode: '404' }]
  for (const [index, thrown] of odd.entries()) app.get(`/odd/${index}`, async () => { throw thrown })
  for (const url of ['/broken', '/upstream', ...odd.map((_, index) => `/odd/${index}`)]) {
    const response = await app.inject(url)
    t.equal(response.statusCode, 500, url)
    t.strictSame(response.json(), { error: 'Internal server error', code: 'RELAY_INTERNAL' }, url)
    const logged = lines.splice(0).filter(({ level }) => level > 30)
    t.match(logged, [{
      level: 50, ...(url === '/broken' && { err: { message: 'secret at /etc/passwd', stack: /errors\.test/ } })
    }])
    t.equal(logged.length, 1)
  }
})

t.test('refusals of Fastify, its plugins and the host keep their status, code and words', async t => {
  const app = Fastify()
  t.teardown(() => app.close())
  await relay(app)
  await app.register(multipart, { limits: { fileSize: 10 } })
  app.post('/file', async request => (await (await request.file())?.toBuffer())?.length)
  const json = { 'content-type': 'application/json' }
  const form = { 'content-type': 'multipart/form-data; boundary=x' }
  const file = (text: string) =>
    `--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n${text}\r\n--x--\r\n`
  for (const [request, status, code, message] of [
    [{ url: '/teapot' }, 418, 'TEAPOT', 'no coffee'],
    [{ url: '/busy' }, 503, 'RELAY_BAD_REQUEST', 'Too busy'],
    [{ url: '/number?n=x' }, 400, 'FST_ERR_VALIDATION', 'querystring/n must be integer'],
    [{ method: 'POST', url: '/json', headers: json, body: '{"a"' }, 400, 'FST_ERR_CTP_INVALID_JSON_BODY', /JSON/],
    [{ method: 'POST', url: '/json', headers: json, body: '' }, 400, 'FST_ERR_CTP_EMPTY_JSON_BODY', /empty/],
    [
      { method: 'POST', url: '/json', headers: json, body: '"' + 'a'.repeat(200) },
      413,
      'FST_ERR_CTP_BODY_TOO_LARGE',
      /too large/
    ],
    [
      { method: 'POST', url: '/json', headers: { 'content-type': 'x/y' }, body: 'z' },
      415,
      'FST_ERR_CTP_INVALID_MEDIA_TYPE',
      /Unsupported/
    ],
    [
      { method: 'POST', url: '/file', headers: json, body: '{}' }, 406, 'FST_INVALID_MULTIPART_CONTENT_TYPE',
      /not multipart/
    ],
    [
      { method: 'POST', url: '/file', headers: form, body: file('more than ten') },
      413,
      'FST_REQ_FILE_TOO_LARGE',
      /too large/
    ]
  ] as const) {
    const response = await app.inject(request)
    t.equal(response.statusCode, status, code)
    t.match(response.json(), { error: message, code })
    t.strictSame(Object.keys(response.json()), ['error', 'code'])
  }
})

t.test('an error keeps nothing of the answer that it replaces', async t => {
  const headers = {
    etag: '"1"',
    'last-modified': 'now',
    'cache-control': 'public',
    'content-disposition': 'attachment',
    'content-range': 'bytes 0-1/9',
    'accept-ranges': 'bytes',
    'content-length': '2',
    'content-type': 'application/zip',
    'content-encoding': 'identity',
    'x-host': 'kept'
  }
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(errors)
  const gone = () => new RelayError('RELAY_BUNDLE_CHANGED', 'It changed')
  app.get('/thrown', async (_request, reply) => { reply.headers(headers); throw gone() })
  app.get('/stream', async (_request, reply) => reply.headers(headers).send(new Readable({
    read () {
      this.destroy(gone())
    }
  })))
  app.get('/range', async (_request, reply) => {
    reply.headers({ ...headers, 'content-range': 'bytes */9' })
    throw new RelayError('RELAY_RANGE_NOT_SATISFIABLE', 'Not that long')
  })
  for (const url of ['/thrown', '/stream']) {
    const response = await app.inject(url)
    t.strictSame(response.json(), { error: 'It changed', code: 'RELAY_BUNDLE_CHANGED' }, url)
    const { connection, date, ...left } = response.headers
    t.strictSame(left, {
      'cache-control': 'no-store',
      'content-type': 'application/json; charset=utf-8',
      'content-length': '52',
      'retry-after': '1',
      'x-host': 'kept'
    }, url)
  }
  const range = await app.inject('/range')
  t.match([range.statusCode, range.headers], [416, { 'content-range': 'bytes */9', 'cache-control': 'no-store' }])
})

t.test('an answer that has begun is broken off, and the server goes on', async t => {
  const { app, lines } = logging()
  await relay(app)
  app.get('/raw', async (_request, reply) => {
    reply.raw.writeHead(200, { 'content-length': '100' })
    await new Promise(resolve => reply.raw.write('begun', resolve))
    throw new Error('late')
  })
  app.get('/stream', async (_request, reply) => {
    const stream = new PassThrough()
    stream.write('begun')
    reply.raw.once('pipe', () => setImmediate(() => stream.destroy(new Error('late'))))
    return reply.header('content-length', '100').send(stream)
  })
  const port = await start(t, app)
  for (const url of ['/raw', '/stream']) {
    const response = await exchange(port, `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`)
    t.match(response, { status: 200, body: /^begun$/ }, url)
    const logged = lines.splice(0).filter(({ level }) => level > 30)
    t.match(logged, [{ level: 40, err: { message: 'late' } }])
    t.equal(logged.length, 1)
  }
  t.equal((await app.inject('/ok')).body, 'ok')
})

t.test('a client that goes away in the middle is no error', async t => {
  const { app, lines } = logging()
  await relay(app)
  app.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
  const over = new Promise(resolve => {
    app.post('/upload', async request => {
      client.destroy()
      return await buffer(request.body as Readable).finally(() => { setImmediate(resolve) })
    })
  })
  const client = connect(await start(t, app), '127.0.0.1')
  client.write('POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: x/y\r\nContent-Length: 100\r\n\r\nsome')
  await over
  t.match(lines.filter(({ err }) => err !== undefined), [{
    level: 30, msg: 'answer broken off', err: { code: 'ECONNRESET' }
  }])
})

t.test('requests that are no HTTP, or hardly, over a socket', async t => {
  const request = (line: string, ...lines: string[]) =>
    [line, 'Host: x', 'Connection: close', ...lines, '', ''].join('\r\n')
  const long = 'a'.repeat(20_000)
  const cases: Record<string, [bytes: string, status: number, code?: string]> = {
    'not HTTP': ['hello\r\n\r\n', 400],
    TLS: ['\x16\x03\x01\x02\x00\x01\x00\x01', 400],
    'an unknown method': [request('FOO / HTTP/1.1'), 400],
    'a broken header': [request('GET / HTTP/1.1', 'no colon'), 400],
    'two lengths': [request('POST /json HTTP/1.1', 'Content-Length: 1', 'Content-Length: 2'), 400],
    'a length and chunks': [request('POST /json HTTP/1.1', 'Content-Length: 1', 'Transfer-Encoding: chunked'), 400],
    'a broken chunk': [
      `${request('POST /json HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked')}zz\r\n`, 400
    ],
    'headers without end': [request('GET / HTTP/1.1', `X-Long: ${long}`), 431],
    'an address without end': [request(`GET /${long} HTTP/1.1`), 431],
    'a long address': [request(`GET /${'a'.repeat(9_000)} HTTP/1.1`), 404, 'RELAY_ROUTE_NOT_FOUND'],
    'a long parameter': [request(`GET /item/${'a'.repeat(200)} HTTP/1.1`), 414, 'FST_ERR_MAX_PARAM_LENGTH'],
    'a broken escape': [request('GET /%zz HTTP/1.1'), 400, 'FST_ERR_BAD_URL'],
    'an asterisk': [request('OPTIONS * HTTP/1.1'), 404, 'RELAY_ROUTE_NOT_FOUND'],
    'no host': ['GET /ok HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'RELAY_BAD_REQUEST'],
    'an expectation': [request('GET /nope HTTP/1.1', 'Expect: coffee'), 404, 'RELAY_ROUTE_NOT_FOUND']
  }
  const app = Fastify(standalone)
  await relay(app)
  const port = await start(t, app)
  const embedded = Fastify()
  await embedded.register(relay, { prefix: '/relay' })
  const embeddedPort = await start(t, embedded)

  for (const [name, [bytes, status, code]] of Object.entries(cases)) {
    const response = await exchange(port, bytes)
    t.match([response.status, response.type], [status, /^application\/json/], name)
    const body = JSON.parse(response.body)
    t.type(body.error, 'string')
    if (code !== undefined) t.strictSame([body.code, Object.keys(body)], [code, ['error', 'code']])

    if (name === 'no host' || name === 'an expectation') continue // Node's own answers there, the host's affair
    const other = await exchange(embeddedPort, bytes.replace(/ \/(?=[a-z%])/, ' /relay/'))
    t.equal(other.status, status, `embedded: ${name}`)
    t.type(JSON.parse(other.body).error, 'string')
  }
  t.equal((await exchange(port, 'GET /ok HTTP/1.0\r\n\r\n')).status, 200, 'HTTP/1.0 needs no host')
})

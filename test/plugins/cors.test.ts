import hostCors from '@fastify/cors'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import { parseOptions, type RelayOptions } from '../../lib/options.ts'
import cors from '../../plugins/cors.ts'
import errors from '../../plugins/errors.ts'
import methods from '../../plugins/methods.ts'
import notFound from '../../plugins/not-found.ts'
import methodRoutes from '../../routes/methods.ts'

const origin = 'https://app.example'
const preflight = {
  origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type,x-own'
}

/** Routes as the relay has them, and ways to fail. */
async function relay (fastify: FastifyInstance, given: RelayOptions & { prefix?: string } = {}): Promise<void> {
  await fastify.register(errors)
  await fastify.register(notFound)
  await fastify.register(methods)
  await fastify.register(cors, parseOptions(given))
  const config = { access: 'public' } as const
  await fastify.register(async routes => {
    routes.get('/', { config }, async () => 'root')
    routes.post('/upload', { config, bodyLimit: 10 }, async () => 'stored')
    routes.get('/broken', { config }, async () => { throw new Error('broken') })
  })
  await fastify.register(methodRoutes)
}

function build (t: Test): FastifyInstance {
  const app = Fastify()
  t.teardown(() => app.close())
  return app
}

async function allowsAll (t: Test, app: FastifyInstance, prefix: string): Promise<void> {
  for (const path of [`${prefix}/`, prefix, `${prefix}/upload`, `${prefix}/broken`]) {
    const response = await app.inject({ method: 'OPTIONS', url: path || '/', headers: preflight })
    t.match([response.statusCode, response.body, response.headers], [204, '', {
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE, OPTIONS',
      'access-control-allow-headers': 'content-type,x-own',
      'access-control-max-age': '86400',
      vary: 'Access-Control-Request-Headers'
    }], `preflight ${path}`)
    t.notOk('access-control-allow-credentials' in response.headers)
  }
  for (const [status, request] of [
    [200, { url: `${prefix}/` }],
    [200, { url: `${prefix}/?t=1`, method: 'HEAD' }],
    [413, {
      url: `${prefix}/upload`, method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'more than ten'
    }],
    [500, { url: `${prefix}/broken` }],
    [405, { url: `${prefix}/upload` }]
  ] as const) {
    const response = await app.inject(request)
    t.match([response.statusCode, response.headers], [status, {
      'access-control-allow-origin': '*',
      'access-control-expose-headers': /ETag.*Content-Range.*Retry-After/
    }], `${status} ${request.url}`)
  }
}

/** That the relay has no say in what the host answers. */
async function leavesHostAlone (t: Test, app: FastifyInstance, paths: string[]): Promise<void> {
  for (const url of paths) {
    for (const method of ['OPTIONS', 'POST'] as const) {
      const response = await app.inject({ method, url, headers: preflight })
      t.notOk(Object.keys(response.headers).some(name => name.startsWith('access-control')), `${method} ${url}`)
      t.equal(response.statusCode, method === 'OPTIONS' ? 404 : 200)
    }
  }
}

t.test('on the root every origin may use every path', async t => {
  const app = build(t)
  await relay(app)
  await allowsAll(t, app, '')
  const unknown = await app.inject('/nope')
  t.match([unknown.statusCode, unknown.headers], [404, { 'access-control-allow-origin': '*' }])
})

t.test('content-type is allowed to whoever does not ask', async t => {
  const app = build(t)
  await relay(app)
  const response = await app.inject({
    method: 'OPTIONS', url: '/upload', headers: { 'access-control-request-method': 'POST' }
  })
  t.equal(response.headers['access-control-allow-headers'], 'content-type')
})

t.test('two relays under prefixes, and a host that allows nothing', async t => {
  const app = build(t)
  await app.register(relay, { prefix: '/a' })
  await app.register(relay, { prefix: '/b' })
  app.post('/own', async () => 'the host’s')
  app.post('/about', async () => 'the host’s')
  await allowsAll(t, app, '/a')
  await allowsAll(t, app, '/b')
  await leavesHostAlone(t, app, ['/own', '/about'])
  t.equal((await app.inject('/a/nope')).headers['access-control-allow-origin'], '*')
})

t.test('without a prefix in a host that allows nothing', async t => {
  const app = build(t)
  await app.register(relay)
  app.post('/own', async () => 'the host’s')
  await allowsAll(t, app, '')
  await leavesHostAlone(t, app, ['/own'])
})

t.test('a host that has @fastify/cors decides itself', async t => {
  const strict = { origin: [origin], methods: 'GET' }
  for (const prefix of ['', '/a']) {
    for (const order of ['before', 'after']) {
      const app = build(t)
      if (order === 'before') await app.register(hostCors, strict)
      await app.register(relay, { prefix })
      if (order === 'after') await app.register(hostCors, strict)
      const name = `${order}, prefix "${prefix}"`
      const mine = await app.inject({ url: `${prefix}/`, headers: { origin } })
      t.match(mine.headers, { 'access-control-allow-origin': origin }, name)
      if (order === 'after') continue // it boots, which is enough: both have had their say
      const other = await app.inject({ url: `${prefix}/`, headers: { origin: 'https://evil.example' } })
      t.notOk('access-control-allow-origin' in other.headers, name)
      const asked = await app.inject({ method: 'OPTIONS', url: `${prefix}/upload`, headers: preflight })
      t.match(
        [asked.statusCode, asked.headers],
        [204, { 'access-control-allow-origin': origin, 'access-control-allow-methods': 'GET' }],
        name
      )
    }
  }
})

t.test('cors: false', async t => {
  const app = build(t)
  await relay(app, { cors: false })
  const response = await app.inject({ method: 'OPTIONS', url: '/upload', headers: preflight })
  t.match([response.statusCode, response.headers], [204, { allow: 'POST, OPTIONS' }])
  t.notOk('access-control-allow-origin' in response.headers)
})

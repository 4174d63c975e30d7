import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import t, { type Test } from 'tap'
import { parseOptions } from '../../lib/options.ts'
import cors from '../../plugins/cors.ts'
import errors from '../../plugins/errors.ts'
import methods from '../../plugins/methods.ts'
import notFound from '../../plugins/not-found.ts'
import methodRoutes from '../../routes/methods.ts'

const open = { config: { access: 'public' } } as const
const READ = 'GET, HEAD, OPTIONS'

/** Routes as the relay has them. */
async function relay (fastify: FastifyInstance): Promise<void> {
  await fastify.register(errors)
  await fastify.register(notFound)
  await fastify.register(methods)
  await fastify.register(cors, parseOptions({}))
  await fastify.register(async routes => {
    routes.get('/', open, async () => 'root')
    routes.get('/metrics', open, async () => 'metrics')
    routes.post('/api/bundles', open, async () => 'posted')
    routes.get('/api/bundles/:id', open, async request => (request.params as { id: string }).id)
    routes.get('/*', open, async (_request, reply) => { reply.callNotFound() })
  })
  await fastify.register(methodRoutes)
}

function build (t: Test, options?: FastifyServerOptions): FastifyInstance {
  const app = Fastify(options)
  t.teardown(() => app.close())
  return app
}

/** Every method on every path of a relay. */
async function checkMethods (t: Test, app: FastifyInstance, prefix: string): Promise<void> {
  const allowed: Record<string, string> = {
    [`${prefix}/`]: READ,
    ...(prefix !== '' && { [prefix]: READ }),
    [`${prefix}/metrics?t=1`]: READ,
    [`${prefix}/api/bundles`]: 'POST, OPTIONS',
    [`${prefix}/api/bundles/x`]: READ
  }
  for (const [url, allow] of Object.entries(allowed)) {
    for (const method of app.supportedMethods as Array<'GET'>) {
      const response = await app.inject({ method, url, headers: { 'content-type': 'x/y' }, body: 'unread' })
      const name = `${method} ${url}`
      if (method as string === 'OPTIONS') {
        t.match([response.statusCode, response.headers.allow, response.body], [204, allow, ''], name)
      } else if (allow.split(', ').includes(method)) {
        t.equal(response.statusCode, method as string === 'POST' ? 415 : 200, name) // 415: the route looked at the body
      } else {
        t.match(
          [response.statusCode, response.headers],
          [405, { allow, 'content-type': /json/, 'access-control-allow-origin': '*' }],
          name
        )
        if (method !== 'HEAD' as string) {
          t.strictSame(
            response.json(),
            { error: `${method} is not allowed here, only ${allow}`, code: 'RELAY_METHOD_NOT_ALLOWED' },
            name
          )
        }
      }
    }
  }
}

t.test('on the root', async t => {
  const app = build(t)
  await relay(app)
  await checkMethods(t, app, '')
  t.match((await app.inject({ method: 'POST', url: '/nope' })).json(), { code: 'RELAY_ROUTE_NOT_FOUND' })
  t.match((await app.inject('/nope')).json(), { code: 'RELAY_ROUTE_NOT_FOUND' })
})

t.test('two under prefixes', async t => {
  const app = build(t)
  await app.register(relay, { prefix: '/a' })
  await app.register(relay, { prefix: '/deeply/b' })
  app.get('/ax', async () => 'the host’s')
  await checkMethods(t, app, '/a')
  await checkMethods(t, app, '/deeply/b')
  t.equal((await app.inject({ method: 'POST', url: '/ax' })).statusCode, 404, 'the host’s paths are left alone')
})

t.test('without a prefix in a host', async t => {
  const app = build(t)
  await app.register(relay)
  app.get('/host', async () => 'the host’s')
  await checkMethods(t, app, '')
  t.equal((await app.inject({ method: 'POST', url: '/host' })).statusCode, 404, 'the host’s paths are left alone')
})

t.test('paths in other case and with a slash, when the server takes them', async t => {
  const app = build(t, { routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } })
  await relay(app)
  await app.register(relay, { prefix: '/a' })
  await checkMethods(t, app, '')
  await checkMethods(t, app, '/a')
  t.equal((await app.inject({ method: 'PUT', url: '/METRICS/' })).statusCode, 405)
  t.equal((await app.inject('/API/Bundles/AbC/')).body, 'AbC', 'ids keep theirs')
})

t.test('without plugins/errors the boot names both', async t => {
  await t.rejects(async () => {
    await build(t).register(methodRoutes)
  }, { message: /relay-errors.*relay-routes-methods/ })
})

t.test('a route of the relay’s that comes later stops the boot', async t => {
  const app = build(t)
  await relay(app)
  t.throws(() => app.get('/late', open, async () => 'late'), {
    message: /GET \/late is declared after relay-routes-methods/
  })
})

import { Validator } from '@seriousme/openapi-schema-validator'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import relay, { type RelayOptions } from '../../app.ts'
import { scratch } from '../scratch.ts'

interface Operation { summary?: string, tags?: string[], security?: object[], responses: Record<string, object> }
interface Document {
  openapi: string
  servers: Array<{ url: string }>
  paths: Record<string, Record<string, Operation>>
}

/** What is not in the document, and why. */
const UNDESCRIBED = {
  '/*': 'the socket at `/`, for clients with a path in their address',
  '/__runner': 'the tunnel has a wire of its own, and the host’s tasks',
  '/__runner/*': 'the same',
  '/__runner/discovery': 'the same',
  '/docs': 'the page of the document itself',
  '/docs/*': 'what it is made of',
  '/dashboard/:file': 'what the dashboard’s page is made of'
}

async function host (t: Test, ...relays: Array<RelayOptions & { prefix?: string }>): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  for (const options of relays) app.register(relay, { storage: await scratch(t), ...options })
  return app
}

const everything: RelayOptions = {
  openapiUi: true,
  anyPath: true,
  dashboard: true,
  tunnel: { allowAnonymous: true },
  vault: { places: [{ id: 'here', kind: 'folder', path: '/nowhere' }] }
}
const controlled: RelayOptions = { authenticate: ({ token }) => token === undefined ? null : { id: token } }

async function documentOf (app: FastifyInstance, prefix = ''): Promise<Document> {
  const { statusCode, headers, body } = await app.inject(`${prefix}/openapi.json`)
  if (statusCode !== 200 || headers['content-type'] !== 'application/json; charset=utf-8') {
    throw new Error(`${statusCode} ${body}`)
  }
  return JSON.parse(body)
}

/** Each path with the methods that are not refused, as they are registered. */
async function routesOf (app: FastifyInstance, urls: Iterable<string>): Promise<Array<[string, string]>> {
  const found: Array<[string, string]> = []
  for (const url of new Set(urls)) {
    const { headers } = await app.inject({ method: 'OPTIONS', url: url.replace('*', 'any') })
    for (const method of String(headers.allow ?? 'GET').split(', ')) {
      if (!['HEAD', 'OPTIONS'].includes(method)) found.push([url, method])
    }
  }
  return found
}

const pathOf = (url: string): string => url.replace(/:(\w+)/g, '{$1}')

for (const [name, options] of Object.entries({ open: {}, controlled })) {
  t.test(`a valid document that has every route of a relay that is ${name}`, async t => {
    const app = Fastify()
    t.teardown(async () => { await app.close() })
    const urls: string[] = []
    app.addHook('onRoute', ({ url }) => { urls.push(url) })
    app.register(relay, { ...everything, ...options, storage: await scratch(t) })
    const document = await documentOf(app)
    t.strictSame(await new Validator().validate(document as never), { valid: true })
    t.match(document.openapi, /^3\.1\./)
    const routes = await routesOf(app, urls)
    t.ok(routes.length > 10)
    for (const [url, method] of routes) {
      const operation = document.paths[pathOf(url)]?.[method.toLowerCase()]
      if (url in UNDESCRIBED) t.equal(operation, undefined, `${method} ${url} is not described`)
      else t.match(operation, { summary: /\S/, tags: [/\S/], responses: { 400: {}, 500: {} } }, `${method} ${url}`)
    }
    const described = Object.entries(document.paths)
      .flatMap(([path, methods]) => Object.keys(methods).map(method => `${method} ${path}`))
    t.strictSame(
      described.sort(),
      routes.filter(([url]) => !(url in UNDESCRIBED))
        .map(([url, method]) => `${method.toLowerCase()} ${pathOf(url)}`).sort(),
      'and no other'
    )
  })
}

t.test('what needs a token says so, where tokens are needed', async t => {
  const open = await documentOf(await host(t, {}))
  const app = await host(t, controlled)
  for (const [path, methods] of Object.entries((await documentOf(app)).paths)) {
    for (const [method, { security, responses }] of Object.entries(methods)) {
      t.equal(open.paths[path]![method]!.security, undefined)
      const { statusCode } = await app.inject({ method: method as 'GET', url: path.replace(/\{\w+\}/g, 'none') })
      t.strictSame(
        [security !== undefined, '401' in responses], [statusCode === 401, statusCode === 401], `${method} ${path}`
      )
    }
  }
})

t.test('two relays in one host', async t => {
  const app = await host(t, { prefix: '/one' }, { prefix: '/two/deep' })
  for (const prefix of ['/one', '/two/deep']) {
    const { servers, paths } = await documentOf(app, prefix)
    t.strictSame(servers, [{ url: '.' }])
    for (const path of Object.keys(paths)) {
      t.equal((await app.inject({ method: 'OPTIONS', url: prefix + path })).statusCode, 204, path)
    }
  }
})

t.test('a host that has the same plugins', async t => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  await app.register(swagger, { openapi: { openapi: '3.1.0', info: { title: 'Host', version: '1' } } })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  app.get(
    '/own',
    { schema: { response: { 200: { type: 'object', properties: { shown: { type: 'string' } } } } } },
    async () => ({ shown: 'yes', hidden: 'no' })
  )
  app.register(relay, { ...everything, ...controlled, prefix: '/relay', storage: await scratch(t) })
  await app.ready()
  const document = app.swagger() as unknown as Document
  t.strictSame(await new Validator().validate(structuredClone(document) as never), { valid: true })
  t.ok(document.paths['/own'])
  t.match(document.paths['/relay/api/bundles/{id}'], {
    get: { responses: { 404: { content: { 'application/json': { schema: { $ref: String } } } } } }
  })
  t.notOk(Object.keys(document.paths).some(path => path.includes('*')))
  t.notOk((await documentOf(app, '/relay')).paths['/own'])
  t.equal((await app.inject('/own')).body, '{"shown":"yes"}', 'its answers are its own')
  t.match((await app.inject('/relay/docs/')).body, /swagger-ui/)
})

t.test('a relay on the root of a host whose answers are filtered by their schemas', async t => {
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  const storage = await scratch(t)
  app.register(async scope => {
    await relay(scope, { storage })
    scope.get(
      '/own',
      { schema: { response: { 200: { type: 'object', properties: { shown: { type: 'string' } } } } } },
      async () => ({ shown: 'yes', hidden: 'no' })
    )
  })
  t.equal((await app.inject('/own')).body, '{"shown":"yes"}')
  t.notOk((await documentOf(app)).paths['/own'])
})

t.test('the page, when it is asked for', async t => {
  t.equal((await (await host(t, {})).inject('/docs')).statusCode, 404)
  const app = await host(t, { prefix: '/relay', openapiUi: true, ...controlled })
  const { statusCode, body, headers } = await app.inject('/relay/docs/')
  t.equal(statusCode, 200)
  t.match(headers['content-security-policy'], /^default-src 'self';/)
  t.equal(headers['access-control-allow-origin'], '*')
  const assets =
    [...body.matchAll(/(?:src|href)="([^"]+)"/g)].map(match => new URL(match[1]!, 'http://relay/relay/docs/').href)
  t.ok(assets.length > 3)
  for (const asset of assets) {
    t.match(asset, /^http:\/\/relay\/relay\/docs\//, 'nothing from elsewhere')
    t.equal((await app.inject(asset)).statusCode, 200, asset)
  }
  t.strictSame(
    (await app.inject('/relay/docs/json')).json(),
    { ...await documentOf(app, '/relay'), servers: [{ url: '..' }] },
    'where it leads from there'
  )
  t.equal((await app.inject('/relay/docs?a=b/c')).headers['location'], 'docs/?a=b/c')
  t.strictSame((await app.inject('/relay/docs/static/none.js')).json(), {
    error: 'Not found', code: 'RELAY_ROUTE_NOT_FOUND'
  })
})

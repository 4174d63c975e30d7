import type { FastifyInstance, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'
import { errorSchema } from '../lib/openapi/responses.ts'
import { complete, security, securitySchemes, type RouteSchema } from '../lib/openapi/route.ts'
import type { Options } from '../lib/options.ts'
import { version } from '../lib/version.ts'

/** The relay's routes as a document, and as a page to read and try them. */
export interface OpenApi {
  /** OpenAPI 3.1, as JSON; made once. */
  document (): Promise<Uint8Array>
  /** Answers the requests below `<prefix>/docs`. */
  page (): Promise<FastifyInstance['routing']>
}

declare module 'fastify' {
  interface FastifyInstance { openapi: OpenApi }
}

/** A page that takes everything from the relay and nothing from elsewhere. */
const POLICY = "default-src 'self'; base-uri 'self'; frame-ancestors 'self'; img-src 'self' data:; object-src 'none'"

type Described = Pick<RouteOptions, 'method' | 'url' | 'schema'>

/** The OpenAPI document of what this scope's routes say of themselves. */
async function openapi (fastify: FastifyInstance, options: Options): Promise<void> {
  const { access, prefix } = fastify
  const routes: Described[] = []
  fastify.addSchema(errorSchema)
  fastify.addHook('onRoute', route => {
    const { config: { access: needs, unlimited } = {}, method, url } = route
    const schema = route.schema as RouteSchema | undefined
    if (needs === undefined || schema === undefined || schema.hide === true) return
    const isAsked = !access.isOpen && needs !== 'public'
    route.schema = complete(schema, isAsked, unlimited !== true)
    // schemas tell what answers are like and take nothing out of them, so there is nothing to compile
    route.serializerCompiler ??= () => JSON.stringify
    const path = url.slice(prefix.length) || '/' // Fastify makes `/prefix` and `/prefix/` one
    if (method === 'HEAD' || routes.some(known => known.url === path && known.method === method)) return
    // only here: in a host's document the names of its security schemes would be missing
    routes.push({ method, url: path, schema: isAsked ? { ...route.schema, security } : route.schema })
  })

  let description: ReturnType<typeof describe> | undefined
  const described = async () => {
    description ??= describe(fastify, routes, options).catch(error => {
      description = undefined // it may be a matter of the moment, such as no file descriptor being left
      throw error
    })
    return await description
  }
  fastify.decorate('openapi', {
    document: async () => (await described()).document,
    page: async () => (await described()).app.routing
  })
  fastify.addHook('onClose', async () => { await (await description)?.app.close() })
}

/**
 * A Fastify that has the same routes, to be described and never called. Made when somebody asks, so that no start waits
 * for it, and apart, so that the host may have the same plugins.
 */
async function describe (
  host: FastifyInstance, routes: readonly Described[], { openapiUi }: Options
): Promise<{ app: FastifyInstance, document: Uint8Array }> {
  const [{ default: Fastify }, { default: swagger }] = await Promise.all([
    import('fastify'), import('@fastify/swagger')
  ])
  const app = Fastify()
  app.setValidatorCompiler(() => () => true)
  app.setSerializerCompiler(() => JSON.stringify)
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.1',
      info: { title: 'fastify-automerge-relay', version, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '.' }], // relative to the document, so that it leads back through proxies that take a prefix off
      components: { securitySchemes }
    },
    convertConstToEnum: false,
    stripBasePath: false,
    refResolver: { buildLocalReference: ({ $id }, _base, _fragment, index) => String($id ?? `schema-${index}`) }
  })
  app.setErrorHandler(host.errorHandler)
  app.setNotFoundHandler(async () => { throw new RelayError('RELAY_ROUTE_NOT_FOUND', 'Not found') })
  if (openapiUi) {
    await app.register((await import('@fastify/swagger-ui')).default, {
      routePrefix: `${host.prefix}/docs`,
      staticCSP: POLICY,
      transformSpecification: document => ({ ...document, servers: [{ url: '..' }] })
    })
  }
  for (const schema of Object.values(host.getSchemas())) app.addSchema(schema)
  for (const { method, url, schema } of routes) app.route({ method, url, schema, handler: () => {} })
  await app.ready()
  return { app, document: Buffer.from(JSON.stringify(app.swagger())) }
}

export default fp(openapi, { name: 'relay-openapi', fastify: '5.x', dependencies: ['relay-access'] })

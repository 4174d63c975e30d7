import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'

/**
 * On each path that the routes registered before this one declare: OPTIONS tells its methods, every other method is
 * refused. Register last.
 */
async function methodRoutes (fastify: FastifyInstance): Promise<void> {
  for (const [path, declared] of [...fastify.methods]) {
    if (path.endsWith('*')) continue // takes paths that nobody declared
    const others = fastify.supportedMethods.filter(method => !declared.has(method))
    if (others.length === 0) continue
    const allow = [...new Set([...declared, 'OPTIONS'])].join(', ')
    fastify.route({
      method: others,
      url: path,
      config: { access: 'public' },
      schema: { hide: true },
      // before the body is looked at
      onRequest: async (request, reply) => {
        reply.header('allow', allow)
        if (request.method === 'OPTIONS') return reply.code(204).send()
        throw new RelayError('RELAY_METHOD_NOT_ALLOWED', `${request.method} is not allowed here, only ${allow}`)
      },
      handler: () => {} // never reached
    })
  }
}

export default fp(methodRoutes, { name: 'relay-routes-methods', fastify: '5.x', encapsulate: true, dependencies: ['relay-errors'] })

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** It is there to say that a method is not. */
    refuses?: true
  }
}

/** On each path of the relay's: OPTIONS tells its methods, every other method is refused. */
async function methodRoutes (fastify: FastifyInstance): Promise<void> {
  for (const [path, declared] of fastify.methods.complete()) {
    if (path.endsWith('*')) continue // takes paths that nobody declared
    const others = fastify.supportedMethods.filter(method => !declared.has(method))
    if (others.length === 0) continue
    const allow = [...new Set([...declared, 'OPTIONS'])].join(', ')
    fastify.route({
      method: others,
      url: path,
      config: { access: 'public', refuses: true },
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

// a route that comes after it stops the start
export default fp(methodRoutes, {
  name: 'relay-routes-methods', fastify: '5.x', encapsulate: true, dependencies: ['relay-errors', 'relay-methods']
})

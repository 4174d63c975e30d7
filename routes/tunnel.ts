import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'

/** A schema to validate by and one to write by, so that Fastify makes its compilers: tasks' schemas go through them. */
const schema = { params: { type: 'object' }, response: { default: { type: 'object' } } }

/** Everything under the tunnel's base path: what it means is the tunnel's to say, and bodies are streams. */
async function tunnelRoutes (fastify: FastifyInstance): Promise<void> {
  const { tunnel } = fastify
  const base = tunnel.basePath.slice(fastify.prefix.length)

  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
  // JSON is what a body is whose type says nothing; Fastify would refuse types that are none
  fastify.addHook('onRequest', async ({ raw: { headers } }) => {
    if (headers['content-type']?.includes('/') === false) headers['content-type'] = 'application/json'
  })

  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack()
    const { principal } = request as FastifyRequest & { principal?: unknown }
    tunnel.serve(request.raw, reply.raw, { log: request.log, principal, headers: reply.getHeaders() })
  }
  for (const url of base === '/' ? ['/*'] : [base, `${base}/*`]) fastify.all(url, { schema, handler })

  fastify.addHook('onReady', async () => {
    tunnel.compile({
      validator: schema => fastify.validatorCompiler!({ schema, method: 'POST', url: base, httpPart: 'body' }),
      serializer: schema => fastify.serializerCompiler!({ schema, method: 'POST', url: base, httpStatus: '200' })
    })
  })
}

export default fp(tunnelRoutes, { name: 'relay-routes-tunnel', fastify: '5.x', encapsulate: true, dependencies: ['relay-tunnel'] })

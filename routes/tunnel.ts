import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Host } from '../lib/tunnel/calls/call.ts'

/** The types that bodies have; Fastify remembers those it is told by name. */
const TYPES = ['application/json', 'application/octet-stream', 'multipart/form-data', 'text/plain', '*']

type CallerOf = (request: FastifyRequest) => Pick<Host, 'principal' | 'identify'>

const callerOfHost: CallerOf = request =>
  ({ principal: (request as FastifyRequest & { principal?: unknown }).principal })

/** What makes Fastify set up its compilers, which tasks' schemas go through too. */
const schema = { hide: true, params: { type: 'object' }, response: { default: { type: 'object' } } }

/** Everything under the tunnel's base path: what it means is the tunnel's to say, and bodies are streams. */
async function tunnelRoutes (fastify: FastifyInstance): Promise<void> {
  const { tunnel } = fastify
  const base = tunnel.basePath.slice(fastify.prefix.length)

  fastify.removeAllContentTypeParsers()
  for (const type of TYPES) fastify.addContentTypeParser(type, (_request, payload, done) => { done(null, payload) })
  // JSON is what a body is whose type says nothing; Fastify would refuse types that are none
  fastify.addHook('onRequest', ({ raw: { headers } }, _reply, done) => {
    if (headers['content-type']?.includes('/') === false) headers['content-type'] = 'application/json'
    done()
  })

  // only a relay has it
  const callerOf = fastify.hasDecorator('tunnelCaller') ? fastify.getDecorator<CallerOf>('tunnelCaller') : callerOfHost
  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    reply.hijack()
    tunnel.serve(request.raw, reply.raw, { log: request.log, headers: reply.getHeaders(), ...callerOf(request) })
  }
  for (const url of base === '/' ? ['/*'] : [base, `${base}/*`]) {
    fastify.all(url, { schema: { hide: true }, config: { access: 'public', unlimited: true }, handler })
  } // it has tokens of its own
  fastify.get(`${base === '/' ? '' : base}/discovery`, {
    schema, config: { access: 'public', unlimited: true }, handler
  })

  fastify.addHook('onReady', async () => {
    tunnel.compile({
      validator: schema => fastify.validatorCompiler!({ schema, method: 'POST', url: base, httpPart: 'body' }),
      serializer: schema => fastify.serializerCompiler!({ schema, method: 'POST', url: base, httpStatus: '200' })
    })
  })
}

export default fp(tunnelRoutes, {
  name: 'relay-routes-tunnel', fastify: '5.x', encapsulate: true, dependencies: ['relay-tunnel']
})

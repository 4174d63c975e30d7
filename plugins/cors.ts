import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'

const ALWAYS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'ETag, Content-Length, Content-Range, Accept-Ranges, Content-Disposition, Retry-After'
}

const PREFLIGHT = {
  'access-control-allow-methods': 'GET, HEAD, POST, DELETE, OPTIONS',
  'access-control-max-age': '86400',
  vary: 'Access-Control-Request-Headers'
}

/**
 * Lets pages of any origin use the relay, without credentials (fetch standard, "CORS protocol"). Not @fastify/cors,
 * whose OPTIONS route takes every path there is: inside a host it would approve requests to the host's own routes, and
 * the host could not register it any more.
 */
async function cors (fastify: FastifyInstance, options: Options): Promise<void> {
  if (!options.cors || fastify.hasPlugin('@fastify/cors')) return
  fastify.addHook('onRequest', async (request, reply) => {
    reply.headers(ALWAYS)
    const isPreflight = request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
    if (!isPreflight) return
    const asked = request.headers['access-control-request-headers'] ?? 'content-type'
    return reply.code(204).headers(PREFLIGHT).header('access-control-allow-headers', asked).send()
  })
}

export default fp(cors, { name: 'relay-cors', fastify: '5.x' })

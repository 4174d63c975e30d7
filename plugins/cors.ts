import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'
import type { Options } from '../lib/options.ts'
import { Origins } from '../lib/http/origins.ts'

const EXPOSED = 'ETag, Location, Content-Length, Content-Range, Accept-Ranges, Content-Disposition, Retry-After'

const PREFLIGHT = {
  'access-control-allow-methods': 'GET, HEAD, POST, PATCH, DELETE, OPTIONS',
  'access-control-max-age': '86400'
}

/**
 * Methods that change nothing (RFC 9110 section 9.2.1): whether a page may read the answer is the browser's to see to.
 */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Which pages may use the relay: all, or those of some origins. */
async function cors (fastify: FastifyInstance, options: Options): Promise<void> {
  const origins = new Origins(options.origins)
  if (options.cors && !fastify.hasPlugin('@fastify/cors')) answer(fastify, origins)
  if (!origins.areAll) refuseOthers(fastify, origins)
}

/**
 * Lets pages read answers, without credentials (fetch standard, "CORS protocol"). Not @fastify/cors, whose OPTIONS
 * route takes every path there is: inside a host it would approve requests to the host's own routes, and the host could
 * not register it any more. On a server of its own it would answer every OPTIONS request itself: 400, or without
 * `Allow`.
 */
function answer (fastify: FastifyInstance, origins: Origins): void {
  fastify.addHook('onRequest', async (request, reply) => {
    const {
      origin, 'access-control-request-method': method, 'access-control-request-headers': asked = 'content-type'
    } =
      request.headers
    reply.header('access-control-expose-headers', EXPOSED)
    if (origins.areAll) reply.header('access-control-allow-origin', '*')
    else {
      reply.header('vary', 'Origin')
      if (origin !== undefined && origins.allows(origin)) reply.header('access-control-allow-origin', origin)
    }
    if (request.method !== 'OPTIONS' || method === undefined) return
    const vary = origins.areAll ? 'Access-Control-Request-Headers' : 'Origin, Access-Control-Request-Headers'
    return reply.code(204).headers(PREFLIGHT).headers({ vary, 'access-control-allow-headers': asked }).send()
  })
}

/** What browsers send for any page, whether or not it may read the answer: sockets, and what changes something. */
function refuseOthers (fastify: FastifyInstance, origins: Origins): void {
  fastify.addHook('onRequest', async ({ method, headers: { origin, upgrade } }) => {
    if ((SAFE.has(method) && upgrade === undefined) || origins.allows(origin)) return
    throw new RelayError(
      'RELAY_ORIGIN_NOT_ALLOWED',
      `Pages of ${origin} may not use this relay: it is not among the origins of its options`
    )
  })
}

export default fp(cors, { name: 'relay-cors', fastify: '5.x' })

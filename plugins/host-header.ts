import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'

/**
 * Requests of HTTP/1.1 without a `Host` header are refused (RFC 9112 section 3.2). They come here when the server has
 * `http: { requireHostHeader: false }`; else Node refuses them without a word.
 */
async function hostHeader (fastify: FastifyInstance): Promise<void> {
  fastify.addHook('onRequest', async ({ raw }) => {
    if (raw.httpVersion !== '1.1' || raw.headers.host !== undefined) return
    throw new RelayError('RELAY_BAD_REQUEST', 'The Host header is missing')
  })
}

export default fp(hostHeader, { name: 'relay-host-header', fastify: '5.x', dependencies: ['relay-errors'] })

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { isRoot } from '../lib/http/scope.ts'

/**
 * Requests with an `Expect` header other than `100-continue`. Node would refuse them without a word; RFC 9110 section
 * 10.1.1 allows a server to ignore what they expect. In a host's server, that is the host's to decide.
 */
async function expectations (fastify: FastifyInstance): Promise<void> {
  if (!isRoot(fastify)) return
  fastify.server.on('checkExpectation', (request, response) => { fastify.routing(request, response) })
}

export default fp(expectations, { name: 'relay-expectations', fastify: '5.x' })

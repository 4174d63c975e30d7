import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'
import { ownsUnknownPaths } from '../lib/http/scope.ts'

/** Paths that do not exist, where they are not the host's to answer. */
async function notFound (fastify: FastifyInstance): Promise<void> {
  if (!ownsUnknownPaths(fastify)) return
  fastify.setNotFoundHandler(async () => { throw new RelayError('RELAY_ROUTE_NOT_FOUND', 'Not found') })
}

export default fp(notFound, { name: 'relay-not-found', fastify: '5.x', dependencies: ['relay-errors'] })

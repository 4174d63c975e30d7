import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
import type { WebSocket } from 'ws'
import { refusals } from '../lib/openapi/responses.ts'
import { largestMessage } from '../lib/websocket/largest-message.ts'
import type { Options } from '../lib/options.ts'

const GREETING = '\u{1F44D} Tonk relay server is running'

const schema = {
  tags: ['Sync'],
  summary: 'Says that the relay runs; with `Upgrade: websocket`, opens the sync socket',
  description: 'The socket speaks automerge-repo’s WebSocket protocol 1. Where access is controlled an upgrade needs ' +
    'a token, a plain request none.',
  response: {
    101: { type: 'null', description: 'The sync socket' },
    200: { description: 'That it runs', content: { 'text/plain': { schema: Type.String() } } },
    ...refusals('RELAY_TOO_MANY_CONNECTIONS')
  }
}

/** The relay's address: says that it runs, and takes automerge-repo peers. */
async function syncRoutes (fastify: FastifyInstance, options: Options): Promise<void> {
  const { access, sockets } = fastify

  const accept = (socket: WebSocket, request: FastifyRequest): void => {
    const { principal, ip: address, log, headers } = request
    const origin = { address, principal: principal.id, maxMessage: largestMessage(headers) }
    sockets.accept(socket, request.raw.socket, origin, access.session(request.credentials(), principal), log)
  }

  fastify.route({
    method: 'GET',
    url: '/',
    schema,
    config: { peers: true, access: 'public' },
    handler: async (_request: FastifyRequest, reply: FastifyReply) =>
      reply.type('text/plain; charset=utf-8').send(GREETING),
    wsHandler: accept
  })

  if (options.anyPath) {
    fastify.route({
      method: 'GET',
      url: '/*',
      schema: { hide: true }, // what is at `/`, for clients with a path in their address
      config: { peers: true, access: 'public' },
      handler: (_request: FastifyRequest, reply: FastifyReply) => { reply.callNotFound() },
      wsHandler: accept
    })
  }
}

export default fp(syncRoutes, {
  name: 'relay-routes-sync',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-access', 'relay-websocket', 'relay-openapi']
})

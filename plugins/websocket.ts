import type { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import websocket from '@fastify/websocket'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { chooseSubprotocol } from '../lib/access/identity/credentials.ts'
import { RelayError } from '../lib/errors.ts'
import { ignoreOffers } from '../lib/http/offers.ts'
import type { Options } from '../lib/options.ts'
import { Sockets } from '../lib/websocket/sockets.ts'

declare module 'fastify' {
  interface FastifyInstance { sockets: Sockets }
  interface FastifyContextConfig {
    /** The route takes WebSocket peers. */
    peers?: boolean
  }
}

const UPGRADE_TIMEOUT = 10_000 // ms until a socket that asked for an upgrade must have got one

/** WebSocket peers: on the host's @fastify/websocket when it has one, else on our own. */
async function peers (fastify: FastifyInstance, options: Options): Promise<void> {
  const sockets = new Sockets(fastify.sync, options, fastify.limits)
  fastify.decorate('sockets', sockets)
  ignoreOffers(fastify.server)
  fastify.storage.lost.then(loss => { sockets.refuse(loss) })
  // else the websocket plugin opens a WebSocket only to close it, and waits half a minute for a peer that does not
  // answer
  fastify.addHook('preValidation', async ({ ws, routeOptions }) => {
    if (ws && routeOptions.config.peers !== true) {
      throw new RelayError('RELAY_ROUTE_NOT_FOUND', 'There is no WebSocket at this path')
    }
    if (ws && sockets.refusal !== undefined) throw sockets.refusal
  })
  // before @fastify/websocket adds its own preClose: that one closes without a code
  fastify.addHook('preClose', async () => { await sockets.close() })
  if (fastify.hasPlugin('@fastify/websocket')) return
  await fastify.register(websocket, {
    options: { maxPayload: options.maxFrame, perMessageDeflate: false, handleProtocols: chooseSubprotocol },
    errorHandler: (error, _socket, request) => {
      request.log.debug({ err: error }, 'websocket error') // Sockets has refused it already
    }
  })
  fastify.websocketServer.on('wsClientError', (error, socket) => { refuseHandshake(socket, error.message) })
  endRefusedUpgrades(fastify)
}

/**
 * Ends sockets whose upgrade was refused. @fastify/websocket sees to that only within the scope it is registered in:
 * after a 404 elsewhere in the server they would stay open for ever and hold up its close.
 */
function endRefusedUpgrades (fastify: FastifyInstance): void {
  const upgraded = new Set<Socket>()
  const onUpgrade = (_request: IncomingMessage, socket: Duplex): void => {
    if (!(socket instanceof Socket)) return // the stand-in of injectWS
    upgraded.add(socket)
    socket.once('close', () => upgraded.delete(socket))
    socket.setTimeout(UPGRADE_TIMEOUT, () => socket.destroy()) // a WebSocket that takes it over clears this
  }
  fastify.server.on('upgrade', onUpgrade)
  fastify.addHook('preClose', async () => {
    fastify.server.off('upgrade', onUpgrade)
    for (const socket of upgraded) if (socket.listenerCount('data') === 0) socket.destroy() // nobody took it over
  })
}

/** A broken handshake is answered like every other bad request. */
function refuseHandshake (socket: Duplex, problem: string): void {
  const body = JSON.stringify({ error: `Invalid WebSocket upgrade request: ${problem}`, code: 'RELAY_BAD_REQUEST' })
  socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n' +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

export default fp(peers, {
  name: 'relay-websocket', fastify: '5.x', dependencies: ['relay-limits', 'relay-storage', 'relay-sync']
})

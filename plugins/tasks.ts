import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ANONYMOUS, TUNNEL } from '../lib/access/identity/principal.ts'
import { callerOf } from '../lib/tasks/caller.ts'
import { offerTasks } from '../lib/tasks/offer-tasks.ts'
import type { Host } from '../lib/tunnel/calls/call.ts'
import { registerTunnelMetrics } from '../lib/tunnel/metrics.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Who calls the tunnel, and how to find out. */
    tunnelCaller (request: FastifyRequest): Pick<Host, 'principal' | 'identify'>
  }
}

/** What the relay offers through its tunnel, to whom, and what is counted of it. */
async function tasks (fastify: FastifyInstance): Promise<void> {
  const { access, bundles, documents, metrics, sync, tunnel } = fastify
  offerTasks({ tunnel, access, documents, sync, bundles })
  metrics.include(registry => { registerTunnelMetrics(tunnel, registry) })
  const others = tunnel.isOpen ? ANONYMOUS : TUNNEL
  fastify.decorate('tunnelCaller', request => access.isOpen
    ? { principal: ANONYMOUS }
    : { identify: byToken => callerOf(access, request.credentials(), others, byToken) })
}

export default fp(tasks, {
  name: 'relay-tasks',
  fastify: '5.x',
  dependencies: ['relay-tunnel', 'relay-sync', 'relay-documents', 'relay-bundles', 'relay-metrics', 'relay-access']
})

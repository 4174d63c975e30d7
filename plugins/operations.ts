import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { offerOperations } from '../lib/operations/operations.ts'
import { registerTunnelMetrics } from '../lib/tunnel/metrics.ts'

/** What the relay offers through its tunnel, and what is counted of it. */
async function operations (fastify: FastifyInstance): Promise<void> {
  const { bundles, metrics, sync, tunnel } = fastify
  offerOperations({ tunnel, sync, bundles })
  metrics.include(registry => { registerTunnelMetrics(tunnel, registry) })
}

export default fp(operations, {
  name: 'relay-operations', fastify: '5.x', dependencies: ['relay-tunnel', 'relay-sync', 'relay-bundles', 'relay-metrics']
})

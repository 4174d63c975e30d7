import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'
import { Health } from '../lib/health/health.ts'
import { registerHealthMetrics } from '../lib/health/metrics.ts'
import { Probe } from '../lib/health/probe.ts'

declare module 'fastify' {
  interface FastifyInstance { health: Health }
}

const STALLED = 10_000 // ms that a write to the journal may take

/** Whether the relay can take what it is for. */
async function health (fastify: FastifyInstance): Promise<void> {
  const { storage, bundles, sockets, metrics } = fastify
  const disk = new Probe(async () => { await storage.probe() })
  const store = new Probe(async () => { await bundles.check() }, { timeout: 4_000 })
  const health = new Health({
    disk: () => disk.run(),
    journal () {
      if (storage.failure !== undefined) throw storage.failure
      if (storage.stalled > STALLED) throw new Error(`a write takes longer than ${STALLED / 1000} s`)
    },
    bundles: () => store.run(),
    served () { bundles.checkNamed() },
    accepting () {
      if (sockets.draining) throw new RelayError('RELAY_CLOSING', 'the relay is closing')
    }
  })
  fastify.decorate('health', health)
  metrics.include(registry => { registerHealthMetrics(health, registry) })
}

export default fp(health, {
  name: 'relay-health',
  fastify: '5.x',
  dependencies: ['relay-metrics', 'relay-storage', 'relay-bundles', 'relay-websocket']
})

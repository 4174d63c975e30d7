import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'
import type { SyncEngine } from '../lib/sync/engine.ts'
import { SyncMeter, registerSyncMetrics } from '../lib/sync/metrics.ts'
import { RelayEngine } from '../lib/sync/relay-engine.ts'

declare module 'fastify' {
  interface FastifyInstance { sync: SyncEngine }
}

/** The sync engine: documents and their peers. */
async function sync (fastify: FastifyInstance, options: Options): Promise<void> {
  const { storage: documents, automerge, limits: quotas, metrics, log } = fastify
  const meter = metrics.include(registry => new SyncMeter(registry))
  const { forward } = options
  const engine = new RelayEngine({ documents, automerge, forward, limits: options, quotas, meter, log })
  metrics.watch(() => engine.stats())
  metrics.include(registry => { registerSyncMetrics(engine, registry) })
  for (const part of ['history', 'outgoing', 'sessions'] as const) {
    metrics.watchMemory(part, () => engine.levels().memory[part])
  }
  fastify.decorate<SyncEngine>('sync', engine)
  fastify.addHook('onClose', async () => { await engine.close() })
}

export default fp(sync, {
  name: 'relay-sync',
  fastify: '5.x',
  dependencies: ['relay-metrics', 'relay-limits', 'relay-storage', 'relay-automerge']
})

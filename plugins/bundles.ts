import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Bundles } from '../lib/bundles/bundles.ts'
import { LimitedStore } from '../lib/bundles/stores/limited-store.ts'
import { openStore } from '../lib/bundles/stores/open-store.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { bundles: Bundles }
}

/** Bundles: the store they are in and the documents they are made of. */
async function bundles (fastify: FastifyInstance, options: Options): Promise<void> {
  const { automerge, limits, log, metrics, sync } = fastify
  const { store: opened, owned } = await openStore(options, log)
  const store = new LimitedStore(opened, path.resolve(options.storage, 'owned'), limits)
  const bundles = new Bundles({ store, sync, automerge, options, log, metrics })
  fastify.decorate('bundles', bundles)
  metrics.watchMemory('slim', () => bundles.cachedBytes)
  fastify.addHook('onClose', async () => {
    await bundles.close()
    if (owned) await store.close()
  })
  await store.check()
  await bundles.open()
}

export default fp(bundles, {
  name: 'relay-bundles', fastify: '5.x', dependencies: ['relay-automerge', 'relay-metrics', 'relay-limits', 'relay-sync']
})

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Bundles } from '../lib/bundles/bundles.ts'
import { LimitedStore } from '../lib/bundles/stores/limited-store.ts'
import { ObjectBundles } from '../lib/bundles/stores/object-bundles.ts'
import { openLocalObjects } from '../lib/objects/open-objects.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { bundles: Bundles }
}

/** Bundles: the store they are in, the host's or the objects, and the documents they are made of. */
async function bundles (fastify: FastifyInstance, options: Options): Promise<void> {
  const { automerge, limits, log, metrics, storage, sync } = fastify
  const objects = openLocalObjects(options.storage, log)
  const store = new LimitedStore(options.store ?? new ObjectBundles(fastify.objects), objects, limits)
  const place = options.adapter && storage.id
  const bundles = new Bundles({ store, objects, place, sync, automerge, options, log, metrics })
  fastify.decorate('bundles', bundles)
  metrics.watchMemory('slim', () => bundles.cachedBytes)
  fastify.addHook('onClose', async () => { await bundles.close() })
  await store.check()
  await bundles.open()
}

export default fp(bundles, {
  name: 'relay-bundles',
  fastify: '5.x',
  dependencies: ['relay-automerge', 'relay-metrics', 'relay-limits', 'relay-objects', 'relay-storage', 'relay-sync']
})

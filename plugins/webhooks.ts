import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'
import { registerWebhookMetrics } from '../lib/webhooks/metrics.ts'
import { Webhooks } from '../lib/webhooks/webhooks.ts'

declare module 'fastify' {
  interface FastifyInstance { webhooks: Webhooks }
}

/** Tells the webhooks of the options what happens in the relay. */
async function webhooks (fastify: FastifyInstance, options: Options): Promise<void> {
  const { bundles, log, metrics, sockets, storage, sync } = fastify
  const webhooks = await Webhooks.open({
    webhooks: options.webhooks, folder: path.join(storage.folder, 'webhooks'), log
  })
  fastify.decorate('webhooks', webhooks)
  metrics.include(registry => { registerWebhookMetrics(webhooks, registry) })
  const stops = options.webhooks.length === 0
    ? []
    : [
        sync.onChange(id => { webhooks.publish('relay.document.changed', { id }, id) }),
        bundles.onStored(id => { webhooks.publish('relay.bundle.stored', { id }) }),
        sockets.onAccept(() => { webhooks.publish('relay.peer.connected', { connections: sync.stats().connections }) })
      ]
  fastify.addHook('onClose', async () => {
    for (const stop of stops) stop()
    await webhooks.close()
  })
}

export default fp(webhooks, {
  name: 'relay-webhooks',
  fastify: '5.x',
  dependencies: ['relay-metrics', 'relay-storage', 'relay-sync', 'relay-bundles', 'relay-websocket']
})

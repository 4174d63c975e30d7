import type { FastifyInstance } from 'fastify'
import { parseOptions, type RelayOptions } from './lib/options.ts'
import access from './plugins/access.ts'
import automerge from './plugins/automerge.ts'
import bundles from './plugins/bundles.ts'
import cors from './plugins/cors.ts'
import errors from './plugins/errors.ts'
import health from './plugins/health.ts'
import http from './plugins/http.ts'
import metrics from './plugins/metrics.ts'
import operations from './plugins/operations.ts'
import storage from './plugins/storage.ts'
import sync from './plugins/sync.ts'
import tunnel from './plugins/tunnel.ts'
import wasm from './plugins/wasm.ts'
import webhooks from './plugins/webhooks.ts'
import websocket from './plugins/websocket.ts'
import bundleRoutes from './routes/bundles.ts'
import healthRoutes from './routes/health.ts'
import metricsRoutes from './routes/metrics.ts'
import methodRoutes from './routes/methods.ts'
import syncRoutes from './routes/sync.ts'
import tunnelRoutes from './routes/tunnel.ts'
import wasmRoutes from './routes/wasm.ts'

export type { Action, Authorize, Resource } from './lib/access/action.ts'
export type { Authenticate } from './lib/access/authenticator.ts'
export type { Credentials } from './lib/access/credentials.ts'
export type { Principal } from './lib/access/principal.ts'
export { Revocations } from './lib/access/revocations.ts'
export type { BundleFile, BundleStore, ByteRange, StoredBundle } from './lib/bundles/store.ts'
export type { RelayOptions } from './lib/options.ts'

/**
 * The relay: `app.register(relay, { prefix: '/sync', storage: './data' })`. Everything it adds stays in its own scope.
 * @throws RelayError RELAY_BAD_OPTION, and what its parts cannot start with (a missing bundle, a folder without write access)
 */
export default async function relay (fastify: FastifyInstance, given: RelayOptions): Promise<void> {
  const options = parseOptions(given)

  fastify.register(errors, options)
  fastify.register(cors, options)
  fastify.register(http, options)
  fastify.register(metrics, options)
  fastify.register(automerge, options)
  fastify.register(storage, options)
  fastify.register(sync, options)
  fastify.register(bundles, options)
  fastify.register(wasm, options)
  fastify.register(websocket, options)
  fastify.register(access, options)
  fastify.register(health, options)
  fastify.register(webhooks, options)
  if (options.tunnel !== undefined) {
    fastify.register(tunnel, options.tunnel)
    fastify.register(operations, options)
    fastify.register(tunnelRoutes, options)
  }

  fastify.register(syncRoutes, options)
  fastify.register(wasmRoutes, options)
  fastify.register(bundleRoutes, options)
  fastify.register(healthRoutes, options)
  fastify.register(metricsRoutes, options)
  fastify.register(methodRoutes, options)
}

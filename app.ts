import type { FastifyInstance } from 'fastify'
import { hosted, type Relay } from './host.ts'
import { parseOptions, type Options, type RelayOptions } from './lib/options.ts'
import { loadOptional } from './optional.ts'
import access from './plugins/access.ts'
import automerge from './plugins/automerge.ts'
import bundles from './plugins/bundles.ts'
import cors from './plugins/cors.ts'
import documents from './plugins/documents.ts'
import errors from './plugins/errors.ts'
import expectations from './plugins/expectations.ts'
import health from './plugins/health.ts'
import hostHeader from './plugins/host-header.ts'
import http from './plugins/http.ts'
import limits from './plugins/limits.ts'
import methods from './plugins/methods.ts'
import metrics from './plugins/metrics.ts'
import notFound from './plugins/not-found.ts'
import objects from './plugins/objects.ts'
import openapi from './plugins/openapi.ts'
import repo from './plugins/repo.ts'
import requests from './plugins/requests.ts'
import storage from './plugins/storage.ts'
import sync from './plugins/sync.ts'
import wasm from './plugins/wasm.ts'
import webhooks from './plugins/webhooks.ts'
import websocket from './plugins/websocket.ts'
import bundleRoutes from './routes/bundles.ts'
import documentRoutes from './routes/documents.ts'
import healthRoutes from './routes/health.ts'
import metricsRoutes from './routes/metrics.ts'
import methodRoutes from './routes/methods.ts'
import openapiRoutes from './routes/openapi.ts'
import syncRoutes from './routes/sync.ts'
import wasmRoutes from './routes/wasm.ts'

export type { Action, Resource } from './lib/access/action.ts'
export type { Authorize } from './lib/access/authorize.ts'
export type { Authenticate } from './lib/access/identity/authenticator.ts'
export type { Credentials } from './lib/access/identity/credentials.ts'
export type { Principal } from './lib/access/identity/principal.ts'
export { Revocations } from './lib/access/revocations.ts'
export type {
  BundleFile, BundlePage, BundleStore, ByteRange, ListedBundle, StoredBundle
} from './lib/bundles/stores/store.ts'
export { RelayError, type RelayErrorCode } from './lib/errors.ts'
export type { Relay } from './host.ts'
export type { HostBundles, HostSync } from './lib/host.ts'
export type { RelayOptions } from './lib/options.ts'

/**
 * The relay: `app.register(relay, { prefix: '/sync', storage: './data' })`. Everything it adds stays in its own scope.
 * @throws RelayError RELAY_BAD_OPTION, and what its parts cannot start with (a missing bundle, a folder without write
 *   access)
 */
export default async function relay (fastify: FastifyInstance, given: RelayOptions): Promise<void> {
  await registerParts(fastify, parseOptions(given))
}

/** A relay whose host can reach into it. */
export const createRelay = (): Relay =>
  hosted((fastify, given) => registerParts(fastify, parseOptions(given), repo))

async function registerParts (fastify: FastifyInstance, options: Options, hostRepo?: typeof repo): Promise<void> {
  const optional = await loadOptional(options)

  fastify.register(errors, options)
  fastify.register(notFound, options)
  fastify.register(hostHeader, options)
  fastify.register(expectations, options)
  fastify.register(methods, options)
  fastify.register(cors, options)
  fastify.register(http, options)
  fastify.register(metrics, options)
  fastify.register(limits, options)
  fastify.register(automerge, options)
  fastify.register(objects, options)
  fastify.register(storage, options)
  fastify.register(sync, options)
  if (hostRepo !== undefined) fastify.register(hostRepo, options)
  fastify.register(documents, options)
  fastify.register(bundles, options)
  fastify.register(wasm, options)
  fastify.register(websocket, options)
  fastify.register(requests, options)
  fastify.register(access, options)
  fastify.register(health, options)
  fastify.register(webhooks, options)
  fastify.register(openapi, options)
  for (const plugin of optional) fastify.register(plugin, options)

  fastify.register(syncRoutes, options)
  fastify.register(wasmRoutes, options)
  fastify.register(documentRoutes, options)
  fastify.register(bundleRoutes, options)
  fastify.register(healthRoutes, options)
  fastify.register(metricsRoutes, options)
  fastify.register(openapiRoutes, options)
  fastify.register(methodRoutes, options)
}

import type { Repo } from '@automerge/automerge-repo'
import type { FastifyInstance } from 'fastify'
import { RelayError } from './lib/errors.ts'
import { hostBundles, hostSync, type HostBundles, type HostSync } from './lib/host.ts'
import { parseOptions, type Options, type RelayOptions } from './lib/options.ts'
import access from './plugins/access.ts'
import automerge from './plugins/automerge.ts'
import bundles from './plugins/bundles.ts'
import cors from './plugins/cors.ts'
import dashboard from './plugins/dashboard.ts'
import documents from './plugins/documents.ts'
import errors from './plugins/errors.ts'
import health from './plugins/health.ts'
import http from './plugins/http.ts'
import limits from './plugins/limits.ts'
import metrics from './plugins/metrics.ts'
import objects from './plugins/objects.ts'
import openapi from './plugins/openapi.ts'
import operations from './plugins/operations.ts'
import repo from './plugins/repo.ts'
import requests from './plugins/requests.ts'
import storage from './plugins/storage.ts'
import sync from './plugins/sync.ts'
import tunnel from './plugins/tunnel.ts'
import wasm from './plugins/wasm.ts'
import webhooks from './plugins/webhooks.ts'
import websocket from './plugins/websocket.ts'
import bundleRoutes from './routes/bundles.ts'
import dashboardRoutes from './routes/dashboard.ts'
import documentRoutes from './routes/documents.ts'
import healthRoutes from './routes/health.ts'
import metricsRoutes from './routes/metrics.ts'
import methodRoutes from './routes/methods.ts'
import openapiRoutes from './routes/openapi.ts'
import syncRoutes from './routes/sync.ts'
import tunnelRoutes from './routes/tunnel.ts'
import wasmRoutes from './routes/wasm.ts'

export type { Action, Authorize, Resource } from './lib/access/action.ts'
export type { Authenticate } from './lib/access/identity/authenticator.ts'
export type { Credentials } from './lib/access/identity/credentials.ts'
export type { Principal } from './lib/access/identity/principal.ts'
export { Revocations } from './lib/access/revocations.ts'
export type { BundleFile, BundlePage, BundleStore, ByteRange, ListedBundle, StoredBundle } from './lib/bundles/stores/store.ts'
export type { HostBundles, HostSync } from './lib/host.ts'
export type { RelayOptions } from './lib/options.ts'

/**
 * The relay: `app.register(relay, { prefix: '/sync', storage: './data' })`. Everything it adds stays in its own scope.
 * @throws RelayError RELAY_BAD_OPTION, and what its parts cannot start with (a missing bundle, a folder without write access)
 */
export default async function relay (fastify: FastifyInstance, given: RelayOptions): Promise<void> {
  registerParts(fastify, parseOptions(given), false)
}

/** A relay, and what its host may use of it. Parts are there once it is registered and loaded. */
export interface Relay {
  /** The relay, to be registered once: `app.register(relay.plugin, { prefix: '/sync', storage: './data' })`. */
  readonly plugin: (fastify: FastifyInstance, options: RelayOptions) => Promise<void>
  /** An automerge-repo `Repo` that is a peer of this relay. It is made when it is first used. @throws RelayError RELAY_NOT_READY, RELAY_CLOSING */
  readonly repo: Repo
  /** @throws RelayError RELAY_NOT_READY */
  readonly bundles: HostBundles
  /** @throws RelayError RELAY_NOT_READY */
  readonly sync: HostSync
}

/** A relay whose host can reach into it. */
export function createRelay (): Relay {
  let isRegistered = false
  let loaded: Relay | undefined
  const plugin: Relay['plugin'] = async function relay (fastify, given) {
    if (isRegistered) throw new RelayError('RELAY_BAD_OPTION', 'this relay is registered already: createRelay() makes one')
    isRegistered = true
    registerParts(fastify, parseOptions(given), true)
    fastify.after(() => {
      loaded = { plugin, bundles: hostBundles(fastify.bundles), sync: hostSync(fastify.sync), get repo () { return fastify.repo } }
    })
  }
  const parts = (): Relay => {
    if (loaded === undefined) throw new RelayError('RELAY_NOT_READY', 'the relay is not loaded: await app.register(relay.plugin) or app.ready() first')
    return loaded
  }
  return { plugin, get repo () { return parts().repo }, get bundles () { return parts().bundles }, get sync () { return parts().sync } }
}

function registerParts (fastify: FastifyInstance, options: Options, hasRepo: boolean): void {
  fastify.register(errors, options)
  fastify.register(cors, options)
  fastify.register(http, options)
  fastify.register(metrics, options)
  fastify.register(limits, options)
  fastify.register(automerge, options)
  fastify.register(objects, options)
  fastify.register(storage, options)
  fastify.register(sync, options)
  if (hasRepo) fastify.register(repo, options)
  fastify.register(documents, options)
  fastify.register(bundles, options)
  fastify.register(wasm, options)
  fastify.register(websocket, options)
  fastify.register(requests, options)
  fastify.register(access, options)
  fastify.register(health, options)
  fastify.register(webhooks, options)
  if (options.tunnel !== undefined) {
    fastify.register(tunnel, options.tunnel)
    fastify.register(operations, options)
    fastify.register(tunnelRoutes, options)
  }

  fastify.register(openapi, options) // describes the routes that come after it
  fastify.register(syncRoutes, options)
  fastify.register(wasmRoutes, options)
  fastify.register(documentRoutes, options)
  fastify.register(bundleRoutes, options)
  fastify.register(healthRoutes, options)
  fastify.register(metricsRoutes, options)
  fastify.register(openapiRoutes, options)
  if (options.dashboard) {
    fastify.register(dashboard, options)
    fastify.register(dashboardRoutes, options)
  }
  fastify.register(methodRoutes, options)
}

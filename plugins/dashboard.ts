import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Dashboard } from '../lib/dashboard/dashboard.ts'
import { Page } from '../lib/dashboard/page.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { dashboard: Dashboard }
}

/** A page to look at, and what it shows. */
async function dashboard (fastify: FastifyInstance, options: Options): Promise<void> {
  const { metrics, sockets, sync, storage, bundles } = fastify
  fastify.decorate('dashboard', new Dashboard({
    page: await Page.open(), metrics, sockets, sync, storage, bundles, limits: options
  }))
}

export default fp(dashboard, {
  name: 'relay-dashboard',
  fastify: '5.x',
  dependencies: ['relay-metrics', 'relay-storage', 'relay-sync', 'relay-bundles', 'relay-websocket']
})

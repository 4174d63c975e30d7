import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Metrics } from '../lib/metrics/metrics.ts'
import { version } from '../lib/version.ts'

declare module 'fastify' {
  interface FastifyInstance { metrics: Metrics }
}

/** What this relay counts and measures. */
async function metrics (fastify: FastifyInstance): Promise<void> {
  const metrics = new Metrics({ version })
  fastify.decorate('metrics', metrics)
  fastify.addHook('onClose', async () => { metrics.close() })
}

export default fp(metrics, { name: 'relay-metrics', fastify: '5.x' })

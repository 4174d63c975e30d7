import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { AutomergePool } from '../lib/automerge/workers/pool.ts'

declare module 'fastify' {
  interface FastifyInstance { automerge: AutomergePool }
}

/** Worker threads that open whole documents. */
async function automerge (fastify: FastifyInstance): Promise<void> {
  const pool = new AutomergePool()
  fastify.decorate('automerge', pool)
  fastify.addHook('onClose', async () => { await pool.close() })
}

export default fp(automerge, { name: 'relay-automerge', fastify: '5.x' })

import type { Repo } from '@automerge/automerge-repo'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { repo: Repo }
}

/** An automerge-repo `Repo` that is a peer of this relay. It is there, and connected, once it is first asked for. */
async function repo (fastify: FastifyInstance, { closeTimeout }: Options): Promise<void> {
  // which has the engine disconnect everybody, this one's peer too
  if (fastify.hasPlugin('relay-websocket')) throw new Error('relay-repo must be registered before relay-websocket')
  // it loads Automerge, of which most relays need nothing here
  const { LazyRepo } = await import('../lib/repo/lazy-repo.ts')
  const { sync: engine, log } = fastify
  const lazy = new LazyRepo({ engine, log, closeTimeout })
  fastify.decorate<Repo>('repo', { getter: () => lazy.repo })
  fastify.addHook('preClose', async () => { await lazy.close() })
}

export default fp(repo, { name: 'relay-repo', fastify: '5.x', dependencies: ['relay-sync'] })

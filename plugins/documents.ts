import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { DocumentService } from '../lib/documents/documents.ts'
import { Watches } from '../lib/documents/watches.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { documents: DocumentService, watches: Watches }
}

/** Documents for those who have no Automerge. */
async function documents (fastify: FastifyInstance, { maxDocument }: Options): Promise<void> {
  const { automerge, log, metrics, storage, sync } = fastify
  const documents = new DocumentService({ automerge, storage, sync, maxDocument })
  const watches = new Watches(documents, sync, log)
  fastify.decorate('documents', documents)
  fastify.decorate('watches', watches)
  metrics.watchMemory('views', () => documents.cachedBytes)
  // answers that never end would hold up the server's close
  fastify.addHook('preClose', async () => { watches.close() })
  fastify.addHook('onClose', async () => { await documents.close() })
}

export default fp(documents, {
  name: 'relay-documents',
  fastify: '5.x',
  dependencies: ['relay-automerge', 'relay-metrics', 'relay-storage', 'relay-sync']
})

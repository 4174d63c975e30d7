import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { codeOf } from '../lib/errors.ts'
import type { Options } from '../lib/options.ts'
import type { DocumentStore } from '../lib/storage/document-store.ts'
import { Documents } from '../lib/storage/stored-documents.ts'
import { registerStorageMetrics } from '../lib/storage/metrics.ts'

declare module 'fastify' {
  interface FastifyInstance { storage: DocumentStore }
}

/** The stored documents. */
async function storage (fastify: FastifyInstance, { storage: folder, durability }: Options): Promise<void> {
  const { automerge, log, metrics: meter } = fastify
  const documents = new Documents({ folder, durability, automerge, log, meter })
  await documents.open()
  fastify.decorate<DocumentStore>('storage', documents)
  meter.include(registry => { registerStorageMetrics(documents, registry) })
  meter.watchMemory('journal', () => documents.levels.held)
  documents.lost.then(loss => { log.fatal({ err: loss }, 'the storage is another relay’s: this one takes and answers nothing more') })
  fastify.addHook('onRequest', async ({ routeOptions }) => {
    if (codeOf(documents.failure) === 'RELAY_STORAGE_LOST' && routeOptions.config.unlimited !== true) throw documents.failure
  })
  fastify.addHook('onClose', async () => { await documents.close() })
}

export default fp(storage, { name: 'relay-storage', fastify: '5.x', dependencies: ['relay-automerge', 'relay-metrics'] })

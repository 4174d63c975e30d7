import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { codeOf } from '../lib/errors.ts'
import type { Options } from '../lib/options.ts'
import { AdapterChunks } from '../lib/storage/chunks/adapter-chunks.ts'
import type { DocumentStore } from '../lib/storage/document-store.ts'
import type { StorageMeter } from '../lib/storage/meter.ts'
import { Documents } from '../lib/storage/stored-documents.ts'
import { JournalMeter, registerStorageMetrics } from '../lib/storage/metrics.ts'

declare module 'fastify' {
  interface FastifyInstance { storage: DocumentStore }
}

/** The stored documents. */
async function storage (fastify: FastifyInstance, { storage: folder, adapter, durability }: Options): Promise<void> {
  const { automerge, log, metrics } = fastify
  const journal = metrics.include(registry => new JournalMeter(registry))
  const meter: StorageMeter = {
    operation: (part, name, run) => metrics.operation(part, name, run),
    committed: (seconds, records, bytes) => { journal.committed(seconds, records, bytes) }
  }
  const chunks = adapter && new AdapterChunks(adapter)
  const documents = new Documents({ folder, chunks, durability, automerge, log, meter })
  await documents.open()
  fastify.decorate<DocumentStore>('storage', documents)
  metrics.include(registry => { registerStorageMetrics(documents, registry) })
  metrics.watchMemory('journal', () => documents.levels.held)
  documents.lost.then(loss => {
    log.fatal({ err: loss }, 'the storage is another relay’s: this one accepts and answers nothing more')
  })
  fastify.addHook('onRequest', async ({ routeOptions }) => {
    if (routeOptions.config.unlimited === true) return
    if (codeOf(documents.failure) === 'RELAY_STORAGE_LOST') throw documents.failure
  })
  fastify.addHook('onClose', async () => { await documents.close() })
}

export default fp(storage, {
  name: 'relay-storage', fastify: '5.x', dependencies: ['relay-automerge', 'relay-metrics']
})

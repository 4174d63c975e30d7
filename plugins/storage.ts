import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'
import { StorageFolder } from '../lib/storage/folder.ts'

declare module 'fastify' {
  interface FastifyInstance { storage: StorageFolder }
}

/** Where documents are kept. */
async function storage (fastify: FastifyInstance, options: Options): Promise<void> {
  const folder = new StorageFolder(options.storage)
  await folder.open()
  fastify.decorate('storage', folder)
}

export default fp(storage, { name: 'relay-storage', fastify: '5.x' })

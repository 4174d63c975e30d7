import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { ObjectStore } from '../lib/objects/object-store.ts'
import { openObjects } from '../lib/objects/open-objects.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { objects: ObjectStore }
}

/** Where bundles and other objects are kept: a bucket or a folder. */
async function objects (fastify: FastifyInstance, options: Options): Promise<void> {
  const objects = await openObjects(options, fastify.log)
  fastify.decorate('objects', objects)
  fastify.addHook('onClose', async () => { await objects.close() })
}

export default fp(objects, { name: 'relay-objects', fastify: '5.x' })

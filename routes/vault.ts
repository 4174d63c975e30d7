import { Readable } from 'node:stream'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'
import { discardRest } from '../lib/http/discard-rest.ts'
import type { Options } from '../lib/options.ts'
import { entryJson, nodeJson } from '../lib/vault/http/answers.ts'
import { schemas } from '../lib/vault/http/schemas.ts'

const READ = { access: ['vault:read'] } as const
const WRITE = { access: ['vault:write'] } as const
const MANAGE = { access: ['vault:manage'] } as const

interface OfObject { Params: { id: string } }

/** The vault over HTTP: objects in and out, and its upkeep. */
async function vaultRoutes (fastify: FastifyInstance, options: Options): Promise<void> {
  const { maxObject } = options.vault!
  const { access, limits, vault } = fastify

  // a body is a stream here, whatever it is called; nothing reads it into memory
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
  if (access.isOpen) {
    fastify.addHook('onRequest', async ({ routeOptions: { url } }) => {
      if (url?.includes('/api/vault') !== true) return
      throw new RelayError('RELAY_ACCESS_DENIED', 'A relay that knows nobody shows its vault to nobody')
    })
  }
  fastify.addHook('onSend', async (_request, reply) => { reply.header('cache-control', 'no-store') })

  fastify.get('/api/vault', { schema: schemas.list, config: READ }, async () =>
    ({ objects: (await vault.list()).map(entryJson) }))

  fastify.post<{ Querystring: { name: string, kind: string } }>('/api/vault', {
    schema: schemas.put,
    config: WRITE,
    // the body is a stream, and looked at as it is read
    preValidation: async request => { request.body = undefined },
    handler: async ({ raw, headers, query: { name, kind }, source }, reply) => {
      const release = limits.upload(source)
      try {
        const media = headers['content-type']
        // who is refused reads why before the connection ends
        const body = raw.iterator({ destroyOnReturn: false })
        const about = { name, kind, ...media !== undefined && { media: media.slice(0, 255) } }
        const entry = await vault.put(body, about, { most: maxObject })
        return await reply.code(201).send(entryJson(entry))
      } finally {
        release()
      }
    },
    onResponse: async ({ raw }) => { discardRest(raw) }
  })

  fastify.get<OfObject>('/api/vault/:id', { schema: schemas.info, config: READ }, async ({ params: { id } }) => {
    const { entry, segments } = await vault.info(id)
    return { ...entryJson(entry), segments }
  })

  fastify.get<OfObject>('/api/vault/:id/content', {
    schema: schemas.content, config: READ
  }, async ({ params: { id }, method }, reply) => {
    const { description: { size, media } } = await vault.describe(id)
    reply.type(media ?? 'application/octet-stream').header('content-length', size)
    // it is shown to whom it was not made for: no page is to be made of it
    reply.headers({ 'content-disposition': 'attachment', 'x-content-type-options': 'nosniff' })
    if (method === 'HEAD') return await reply.send(Readable.from([]))
    const { bytes } = await vault.get(id)
    return await reply.send(Readable.from(bytes))
  })

  fastify.delete<OfObject>('/api/vault/:id', {
    schema: schemas.forget, config: WRITE
  }, async ({ params: { id } }, reply) => {
    await vault.forget(id)
    return await reply.code(204).send()
  })

  fastify.post<OfObject>('/api/vault/:id/repair', {
    schema: schemas.repairOne, config: MANAGE
  }, async ({ params: { id } }) => await vault.repair({ id, now: true }))
  fastify.post('/api/vault/repair', { schema: schemas.repair, config: MANAGE }, async () => await vault.repair())
  fastify.post('/api/vault/scrub', { schema: schemas.scrub, config: MANAGE }, async () => await vault.scrub())
  fastify.post('/api/vault/drill', { schema: schemas.drill, config: MANAGE }, async () =>
    ({ drill: await vault.drill() }))
  fastify.post('/api/vault/collect', { schema: schemas.collect, config: MANAGE }, async () => await vault.collect())
  fastify.get('/api/nodes', { schema: schemas.nodes, config: { access: ['metrics:read'] } }, async () =>
    ({ nodes: vault.nodes.map(nodeJson) }))
}

export default fp(vaultRoutes, {
  name: 'relay-routes-vault',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-vault', 'relay-access', 'relay-limits', 'relay-openapi']
})

import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import type { Hash } from '../lib/automerge/format/hash.ts'
import { EventStream } from '../lib/http/event-stream.ts'
import { canonicalHeads, etagOf, headsText } from '../lib/documents/heads.ts'
import { schemas } from '../lib/documents/schemas.ts'
import { knownSnapshot, snapshotEtag } from '../lib/documents/snapshot.ts'
import { Subscription } from '../lib/documents/subscription.ts'
import { JSON_PATCH, JSON_TYPE, MERGE_PATCH, SNAPSHOT_TYPE, type PatchType } from '../lib/documents/types.ts'
import { RelayError, codeOf } from '../lib/errors.ts'
import { holds, isConditional, isKnown, type Preconditions } from '../lib/http/conditional.ts'
import { isDocumentId, type DocumentId } from '../lib/ids.ts'
import type { Options } from '../lib/options.ts'
import type { Representation } from '../lib/http/representation.ts'

const READ = { access: ['document:read'] } as const
const TYPES = [JSON_TYPE, SNAPSHOT_TYPE, MERGE_PATCH, JSON_PATCH]

/** Documents as JSON: read, made, changed, deleted, listened to. */
async function documentRoutes (fastify: FastifyInstance, options: Options): Promise<void> {
  const { access, documents, watches, limits } = fastify
  const typed = fastify.withTypeProvider<TypeBoxTypeProvider>()

  // bodies are read where documents are opened, on another thread
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser(TYPES, { parseAs: 'buffer', bodyLimit: options.maxDocument }, (_request, body, done) => {
    done(null, body)
  })
  fastify.addContentTypeParser('*', (_request, _payload, done) => { done(unsupported(TYPES)) })

  /** Where events go on from: nowhere, where the heads are not known any more. */
  const knownHeads = (id: DocumentId, text: string): Hash[] | undefined => {
    try {
      return documents.headsOf(id, text)
    } catch (error) {
      if (codeOf(error) === 'RELAY_HEADS_UNKNOWN') return undefined
      throw error
    }
  }

  typed.get('/api/documents/:id', {
    schema: schemas.view, config: READ
  }, async ({ method, params, query, headers }, reply) => {
    const id = documentId(params.id)
    const current = await documents.heads(id)
    const heads = query.heads === undefined ? current : documents.headsOf(id, query.heads)
    const etag = etagOf(heads)
    reply.type(`${JSON_TYPE}; charset=utf-8`)
    if (isKnown(headers, etag)) return await unchanged(reply, etag)
    // its length is not told, which nobody knows until it is made
    if (method === 'HEAD' && query.heads === undefined) return await fresh(reply, etag).send(Readable.from([]))
    return await reply.represent(made(await documents.view(id, heads), etag))
  })

  typed.get('/api/documents/:id/heads', { schema: schemas.heads, config: READ }, async ({ params, headers }, reply) => {
    const heads = await documents.heads(documentId(params.id))
    const etag = etagOf(heads, 'heads')
    return isKnown(headers, etag) ? await unchanged(reply, etag) : await fresh(reply, etag).send({ heads })
  })

  typed.get('/api/documents/:id/history', {
    schema: schemas.history, config: READ
  }, async ({ params, query, headers }, reply) => {
    const id = documentId(params.id)
    const { offset = 0, limit = 100 } = query
    const current = await documents.heads(id)
    const heads = query.heads === undefined ? current : documents.headsOf(id, query.heads)
    const etag = etagOf(heads, 'history', `.${offset}.${limit}`)
    if (isKnown(headers, etag)) return await unchanged(reply, etag)
    const { total, changes } = await documents.history(id, heads, offset, limit)
    const next = offset + changes.length < total
      ? `history?heads=${headsText(heads)}&offset=${offset + changes.length}&limit=${limit}`
      : null
    return await fresh(reply, etag).send({ heads, total, changes, next })
  })

  typed.get('/api/documents/:id/snapshot', {
    schema: schemas.snapshot, config: READ
  }, async ({ params, headers }, reply) => {
    const id = documentId(params.id)
    reply.type(SNAPSHOT_TYPE).header('content-disposition', `attachment; filename="${id}.automerge"`)
    const known = knownSnapshot(headers['if-none-match'], await documents.heads(id))
    if (known !== undefined) return await unchanged(reply, known)
    const snapshot = await documents.snapshot(id)
    return await reply.represent(made(snapshot, snapshotEtag(snapshot)))
  })

  typed.get('/api/documents/:id/events', { schema: schemas.events, config: READ }, async (request, reply) => {
    const { method, params, query, headers } = request
    const id = documentId(params.id)
    const heads = await documents.heads(id)
    const known = headers['last-event-id'] ?? query.heads
    const from = known === undefined ? undefined : knownHeads(id, known)
    reply.headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' }).type('text/event-stream; charset=utf-8')
    if (method === 'HEAD') return await reply.send(Readable.from([]))
    const stream = new EventStream().once('close', limits.connect(request.source))
    try {
      const grant = access.session(request.credentials(), request.principal)
      const subscription = new Subscription(id, stream, { grant, wantsPatches: query.patches ?? true })
      if (from === undefined) subscription.changed(heads)
      stream.once('close', watches.listen(id, subscription, from ?? heads))
    } catch (error) {
      stream.destroy()
      throw error
    }
    stream.onReady = () => { watches.resume(id) }
    return await reply.send(stream)
  })

  typed.post('/api/documents', {
    config: { access: ['document:create'] }, schema: schemas.create
  }, async ({ body, headers, query, url }, reply) => {
    const type = typeOf(headers)
    if (type !== JSON_TYPE && type !== SNAPSHOT_TYPE) throw unsupported([JSON_TYPE, SNAPSHOT_TYPE])
    const bytes = body as unknown as Uint8Array
    const { id, heads } = type === JSON_TYPE
      ? await documents.create(bytes, query.message)
      : await documents.import(bytes)
    reply.code(201).headers({ location: below(url, id), etag: etagOf(heads) })
    return await reply.send({ id, url: `automerge:${id}`, heads })
  })

  typed.patch('/api/documents/:id', {
    config: { access: ['document:write'] }, schema: schemas.patch
  }, async ({ params, body, headers, query: { message, heads: base, ifMatch } }, reply) => {
    const id = documentId(params.id)
    const type = typeOf(headers)
    if (type !== MERGE_PATCH && type !== JSON_PATCH) throw unsupported([MERGE_PATCH, JSON_PATCH])
    const patch = {
      type: type as PatchType,
      patch: body as unknown as Uint8Array,
      message,
      base: base === undefined ? undefined : documents.headsOf(id, base)
    }
    const conditions = preconditions(headers, ifMatch)
    const heads = await documents.patch(
      id, patch, isConditional(conditions) ? heads => holds(conditions, etagOf(heads)) : undefined
    )
    return await reply.header('etag', etagOf(heads)).send({ heads })
  })

  fastify.delete<{ Params: { id: string }, Querystring: { ifMatch?: string } }>('/api/documents/:id', {
    schema: schemas.remove, config: { access: ['document:delete'] }
  }, async ({ params, headers, query, principal }, reply) => {
    const id = documentId(params.id)
    await access.require(principal, 'document:delete', id) // an open relay asks nobody before
    const conditions = preconditions(headers, query.ifMatch)
    await documents.remove(id, heads => holds(conditions, etagOf(heads)))
    return await reply.code(204).send()
  })
}

/** What is below a path, as a reference from there: it leads back through proxies that take a prefix off. */
const below = (url: string, name: string): string => {
  const last = url.split('?')[0]!.split('/').at(-1)!
  return last === '' ? name : `${last}/${name}`
}

const preconditions = (headers: IncomingHttpHeaders, ifMatch: string | undefined): Preconditions =>
  ({
    'if-match': headers['if-match'],
    'if-none-match': headers['if-none-match'],
    ifMatch: ifMatch === undefined ? undefined : canonicalHeads(ifMatch)
  })

/** What is no id names no document. */
function documentId (text: string): DocumentId {
  if (!isDocumentId(text)) throw new RelayError('RELAY_DOCUMENT_NOT_FOUND', 'Document not found: not a document id')
  return text
}

const typeOf = (headers: IncomingHttpHeaders): string =>
  (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase()

const unsupported = (types: readonly string[]): RelayError =>
  new RelayError('RELAY_MEDIA_TYPE_UNSUPPORTED', `The body must be ${types.join(' or ')}`)

/** What the representation of an id is changes: caches ask each time whether it has. */
const fresh = (reply: FastifyReply, etag: string): FastifyReply => reply.headers({ etag, 'cache-control': 'no-cache' })

const unchanged = async (reply: FastifyReply, etag: string): Promise<FastifyReply> =>
  await fresh(reply, etag).code(304).send()

const made = (bytes: Uint8Array, etag: string): Representation =>
  ({
    size: bytes.length, etag, stream: ({ start, end } = { start: 0, end: bytes.length }) => bytes.subarray(start, end)
  })

export default fp(documentRoutes, {
  name: 'relay-routes-documents',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-access', 'relay-documents', 'relay-http', 'relay-limits', 'relay-openapi']
})

import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import multipart from '@fastify/multipart'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ANONYMOUS } from '../lib/access/identity/principal.ts'
import type { Admission } from '../lib/bundles/stores/admission.ts'
import { SLIM_TYPE, WHOLE_TYPE, schemas } from '../lib/bundles/schemas.ts'
import { RelayError, messageOf } from '../lib/errors.ts'
import { holds, isConditional, type Preconditions } from '../lib/http/conditional.ts'
import { discardRest } from '../lib/http/discard-rest.ts'
import { isDocumentId, type DocumentId } from '../lib/ids.ts'
import type { Options } from '../lib/options.ts'
import type { Representation } from '../lib/http/representation.ts'

/** Bundles: upload, download, slim ones to start from, live ones to share. */
async function bundleRoutes (fastify: FastifyInstance, options: Options): Promise<void> {
  const { access, bundles, limits, storage } = fastify

  const hasDocument = async (id: DocumentId): Promise<boolean> => await storage.has(id)

  /** What has to hold for an upload; nothing when everybody may do everything and it names no condition. */
  const admission = ({ headers, query, principal }: FastifyRequest): Admission | undefined => {
    const conditions = preconditions(headers, query)
    if (access.isOpen && !isConditional(conditions)) return undefined
    return {
      owner: principal === ANONYMOUS ? undefined : principal.id,
      permit: async ({ id, documents }, stored) => {
        await access.requireUpload(principal, { id, documents, replaces: stored }, hasDocument)
        requireVersion(conditions, stored)
      }
    }
  }

  // a body is a stream here, whatever it is called; nothing reads it into memory
  fastify.removeAllContentTypeParsers()
  fastify.addContentTypeParser('*', (_request, payload, done) => { done(null, payload) })
  await fastify.register(multipart, { limits: { files: 1, fields: 16, fileSize: options.maxUpload + 1 } })

  fastify.get('/.manifest.tonk', {
    schema: schemas.served, config: { access: ['bundle:read'] }
  }, async (request, reply) => {
    const slim = await bundles.servedSlim()
    await access.require(request.principal, 'bundle:read', slim.rootId)
    return await named(reply, SLIM_TYPE, 'manifest').represent(made(slim))
  })

  fastify.get('/api/blank-tonk', { schema: schemas.blank, config: { access: 'public' } }, async (_request, reply) =>
    await named(reply, WHOLE_TYPE, 'blank').represent(await bundles.blank()))

  fastify.post('/api/bundles', {
    config: { access: ['bundle:create', 'bundle:replace'] },
    schema: schemas.upload,
    validatorCompiler: () => () => true, // the body is a stream, and looked at as it is read
    handler: async request => {
      const release = limits.upload(request.source)
      try {
        const { id } = request.isMultipart()
          ? await bundles.receive(await uploadedFile(request), undefined, admission(request))
          : await bundles.receive(request.raw, Number(request.headers['content-length'] ?? 0), admission(request))
        return { id, message: 'Bundle uploaded successfully' }
      } finally {
        release()
      }
    },
    onResponse: async ({ raw }) => { discardRest(raw) }
  })

  fastify.get<{ Params: { id: string }, Querystring: { state?: string } }>('/api/bundles/:id', {
    config: { access: ['bundle:read'] },
    schema: schemas.download,
    handler: async (request, reply) => {
      const id = documentId(request.params.id)
      named(reply, WHOLE_TYPE, id)
      if (request.query.state !== 'live') return await reply.represent(await bundles.download(id))
      const live = await bundles.live(id)
      reply.header('cache-control', 'no-store')
      return await reply.send(request.method === 'HEAD' ? live.destroy() : live)
    }
  })

  fastify.delete<{ Params: { id: string } }>('/api/bundles/:id', {
    schema: schemas.remove, config: { access: ['bundle:delete'] }
  }, async ({ params, headers, query, principal }, reply) => {
    const conditions = preconditions(headers, query)
    await bundles.remove(documentId(params.id), async stored => {
      await access.requireOwn(principal, stored.owner)
      requireVersion(conditions, stored)
    })
    return await reply.code(204).send()
  })

  fastify.get<{ Params: { id: string } }>('/api/bundles/:id/manifest', {
    schema: schemas.slim, config: { access: ['bundle:read'] }
  }, async (request, reply) => {
    const id = documentId(request.params.id)
    return await named(reply, SLIM_TYPE, id).represent(made(await bundles.slim(id)))
  })
}

/** A bundle's id is its root document's; anything else names no bundle. */
function documentId (text: string): DocumentId {
  if (!isDocumentId(text)) throw new RelayError('RELAY_BUNDLE_NOT_FOUND', 'Bundle not found: not a document id')
  return text
}

/** @param query as it came: an upload's is not validated @throws RelayError RELAY_BAD_REQUEST */
function preconditions (headers: IncomingHttpHeaders, query: unknown): Preconditions {
  const { ifMatch } = query as { ifMatch?: unknown }
  if (ifMatch !== undefined && (typeof ifMatch !== 'string' || !/^[^"]+$/.test(ifMatch))) {
    throw new RelayError('RELAY_BAD_REQUEST', 'ifMatch must be what the ETag of the bundle has in quotes, once')
  }
  return { 'if-match': headers['if-match'], 'if-none-match': headers['if-none-match'], ifMatch }
}

/** @throws RelayError RELAY_PRECONDITION_FAILED */
function requireVersion (conditions: Preconditions, stored: { etag: string } | null): void {
  if (holds(conditions, stored?.etag ?? null)) return
  throw new RelayError(
    'RELAY_PRECONDITION_FAILED', stored === null ? 'There is no such bundle' : 'There is another version of this bundle'
  )
}

/** The file of a form; everything else in it is ignored. */
async function uploadedFile (request: FastifyRequest): Promise<Readable> {
  const part = await request.file().catch(error => {
    throw error.statusCode < 500
      ? error
      : new RelayError('RELAY_BAD_REQUEST', `Invalid form: ${messageOf(error)}`, {
        cause: error
      })
  })
  if (part === undefined) throw new RelayError('RELAY_BUNDLE_INVALID', 'Invalid bundle data: the form has no file')
  return part.file
}

const named = (reply: FastifyReply, type: string, name: string): FastifyReply =>
  reply.type(type).header('content-disposition', `attachment; filename="${name}.tonk"`)

/** Bytes in memory as something to represent. */
const made = ({ bytes, etag }: { bytes: Uint8Array, etag: string }): Representation =>
  ({
    size: bytes.length, etag, stream: ({ start, end } = { start: 0, end: bytes.length }) => bytes.subarray(start, end)
  })

export default fp(bundleRoutes, {
  name: 'relay-routes-bundles',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-access', 'relay-bundles', 'relay-http', 'relay-limits', 'relay-storage', 'relay-openapi']
})

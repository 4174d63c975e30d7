import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { whyNotLocal } from '../lib/dashboard/local.ts'
import type { PageFile } from '../lib/dashboard/page.ts'
import * as schemas from '../lib/dashboard/schemas.ts'
import { RelayError } from '../lib/errors.ts'
import { isDocumentId, type DocumentId } from '../lib/ids.ts'

const FOR_EVER = 'public, max-age=31536000, immutable'

/** Nothing but what the relay has sent, and connections to itself. */
const HEADERS = {
  'content-security-policy': "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src " +
    "'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer', // its address may hold a token
  'x-content-type-options': 'nosniff'
}

const ADMINISTER = ['administer'] as const

/** A page to look at, and what it shows: for who may administer, and in an open relay for who is at this machine. */
async function dashboardRoutes (fastify: FastifyInstance): Promise<void> {
  const { access, dashboard } = fastify
  const typed = fastify.withTypeProvider<TypeBoxTypeProvider>()

  const guard = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    reply.removeHeader('access-control-allow-origin').headers(HEADERS)
    const reason = access.isOpen ? whyNotLocal(request.socket.remoteAddress, request.headers) : undefined
    if (reason === undefined) return
    access.refused('RELAY_ACCESS_DENIED')
    throw new RelayError(
      'RELAY_ACCESS_DENIED', `The dashboard of a relay without access control is not for everybody: ${reason}`
    )
  }

  // it holds nothing of the relay's, and who is to show a token needs something to show it to
  const shell = { onRequest: guard, config: { access: 'public' as const } }
  const data = { onRequest: guard, config: { access: ADMINISTER }, logLevel: 'warn' as const } // asked every second

  typed.get('/dashboard', { ...shell, schema: schemas.shell }, async (request, reply) =>
    isFolder(request) ? await toShell(request, reply) : await send(reply, dashboard.page.shell, 'no-cache'))

  typed.get('/dashboard/:file', { ...shell, schema: schemas.file }, async (request, reply) => {
    if (isFolder(request)) return await toShell(request, reply)
    const file = dashboard.page.file(request.params.file)
    if (file === undefined) throw new RelayError('RELAY_ROUTE_NOT_FOUND', 'Not found')
    return await send(reply, file, FOR_EVER)
  })

  typed.get('/dashboard/data/figures', { ...data, schema: schemas.figures }, async (_request, reply) =>
    fresh(reply).send(await dashboard.figures()))

  typed.get('/dashboard/data/connections', { ...data, schema: schemas.connections }, async ({ query }, reply) =>
    fresh(reply).send(dashboard.connections({
      ...query, document: query.document === undefined ? undefined : documentId(query.document)
    })))

  typed.get('/dashboard/data/documents', { ...data, schema: schemas.documents }, async ({ query }, reply) =>
    fresh(reply).send(await dashboard.documents(query)))

  typed.get('/dashboard/data/documents/:id', { ...data, schema: schemas.document }, async ({ params }, reply) =>
    fresh(reply).send(await dashboard.document(documentId(params.id))))

  typed.get('/dashboard/data/bundles', { ...data, schema: schemas.bundles }, async ({ query }, reply) =>
    fresh(reply).send(await dashboard.bundles(query) ?? { list: null, isMore: false }))

  typed.get('/dashboard/data/bundles/:id', { ...data, schema: schemas.bundle }, async ({ params }, reply) =>
    fresh(reply).send(await dashboard.bundle(documentId(params.id))))
}

/** What the page asks for is beside it, so its own address has no slash at the end. */
const isFolder = ({ url }: FastifyRequest): boolean => /^[^?]*\/(\?|$)/.test(url)

const toShell = async ({ url }: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> =>
  await reply.redirect(url.replace(/^[^?]*/, '../dashboard'), 308)

const fresh = (reply: FastifyReply): FastifyReply => reply.header('cache-control', 'no-store')

async function send (
  reply: FastifyReply, { type, bytes, etag }: PageFile, cacheControl: string
): Promise<FastifyReply> {
  const { length: size } = bytes
  return await reply.type(type).represent({
    size, etag, cacheControl, stream: ({ start, end } = { start: 0, end: size }) => bytes.subarray(start, end)
  })
}

function documentId (text: string): DocumentId {
  if (!isDocumentId(text)) throw new RelayError('RELAY_ID_INVALID', 'Not a document id')
  return text
}

export default fp(dashboardRoutes, {
  name: 'relay-routes-dashboard',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-access', 'relay-dashboard', 'relay-http', 'relay-openapi']
})

import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { Access } from '../lib/access/access.ts'
import type { Action } from '../lib/access/action.ts'
import { findToken, type Credentials } from '../lib/access/identity/credentials.ts'
import { openAccess } from '../lib/access/open-access.ts'
import { ANONYMOUS, type Principal } from '../lib/access/identity/principal.ts'
import { countRefusals } from '../lib/access/metrics.ts'
import { RelayError } from '../lib/errors.ts'
import { isDocumentId, type DocumentId } from '../lib/ids.ts'
import { isLoopback } from '../lib/loopback.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { access: Access }
  interface FastifyRequest {
    /** Who it is from; on routes that are open to all, nobody has asked. */
    principal: Principal
    credentials (): Credentials
  }
  interface FastifyContextConfig {
    /** Who may: anybody, or who may do one of these, to what `:id` names if it does. Without it, who may administer. */
    access?: 'public' | readonly Action[]
  }
}

const ADMINISTER: readonly Action[] = ['administer']
const CONNECT: readonly Action[] = ['document:read']

/** What an id in a path may name, and how it is answered when it is not there. */
const READABLE = [
  {
    isOf: (action: Action) => action.startsWith('document:'),
    read: 'document:read',
    missing: (id: DocumentId) => new RelayError('RELAY_DOCUMENT_NOT_FOUND', `Document not found: ${id}`)
  },
  {
    isOf: (action: Action) => action.startsWith('bundle:'),
    read: 'bundle:read',
    missing: (id: DocumentId) => new RelayError('RELAY_BUNDLE_NOT_FOUND', `Bundle not found: ${id}`)
  }
] as const

/** Access control: every request is looked at before its body is, and before a WebSocket is opened. */
async function access (fastify: FastifyInstance, options: Options): Promise<void> {
  const { bundles, log, metrics } = fastify
  const { access, close } = await openAccess(options, {
    log,
    refused: metrics.include(countRefusals),
    holds: (bundle, document) => bundles.holds(bundle, document)
  })
  fastify.decorate('access', access)
  fastify.decorateRequest('principal')
  fastify.decorateRequest('credentials', function (this: FastifyRequest) { return credentialsOf(this) })

  // after that of @fastify/websocket, which tells whether it is an upgrade
  fastify.addHook('onRequest', async request => {
    request.principal = ANONYMOUS
    if (access.isOpen || request.is404) return
    const { access: asked = ADMINISTER } = request.routeOptions.config
    // a public socket is one of documents, and none of another kind
    const actions = request.ws && asked === 'public' ? CONNECT : asked
    if (actions === 'public') return
    try {
      request.principal = await access.authenticate(request.credentials())
      await admit(access, request, actions)
    } catch (error) {
      if (error instanceof RelayError) access.refused(error.code)
      throw error
    }
  })
  fastify.addHook('onListen', async () => { if (access.isOpen) warn(fastify) })
  fastify.addHook('onClose', async () => { close() })
}

function credentialsOf ({ raw: { headers, url = '/' }, ip }: FastifyRequest): Credentials {
  return { headers, url, ip, token: findToken(headers, url) }
}

/** A bundle or a document that one may not read is one that is not there. */
async function admit (
  access: Access, { principal, params }: FastifyRequest, actions: readonly Action[]
): Promise<void> {
  const id = idOf(params)
  if (id !== undefined) {
    for (const { isOf, read, missing } of READABLE) {
      if (actions.some(isOf) && await access.allows(principal, read, id) !== true) throw missing(id)
    }
  }
  for (const action of actions) if (await access.allows(principal, action, id) === true) return
  throw new RelayError('RELAY_ACCESS_DENIED', `Not allowed: ${actions.join(' or ')}`)
}

/** What is no id names nothing, and the route says so. */
function idOf (params: unknown): DocumentId | undefined {
  const { id } = params as { id?: unknown }
  return isDocumentId(id) ? id : undefined
}

/** Says it when others can reach what is open to all. */
function warn (fastify: FastifyInstance): void {
  const reachable = (fastify.addresses() as AddressInfo[]).filter(({ address }) => !isLoopback(address))
  if (reachable.length === 0) return
  const where = reachable.map(({ address, port }) => `${address} port ${port}`).join(', ')
  fastify.log.warn(
    `NO ACCESS CONTROL: whoever can reach ${where} can read and change every document. Set tokens, jwtKeys or rules ` +
      '(docs/access.md), or listen on 127.0.0.1.'
  )
}

export default fp(access, {
  name: 'relay-access', fastify: '5.x', dependencies: ['relay-metrics', 'relay-bundles', 'relay-websocket']
})

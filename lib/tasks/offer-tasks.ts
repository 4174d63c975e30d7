import { Type } from 'typebox'
import type { Access } from '../access/access.ts'
import type { Principal } from '../access/identity/principal.ts'
import type { Bundles } from '../bundles/bundles.ts'
import type { DocumentService } from '../documents/documents.ts'
import { RelayError } from '../errors.ts'
import { isDocumentId, type DocumentId } from '../ids.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { Call } from '../tunnel/calls/call.ts'
import { refusal } from '../tunnel/errors.ts'
import type { Tunnel } from '../tunnel/tunnel.ts'
import { tunnelErrorOf } from './tunnel-error.ts'

export interface TasksParts {
  tunnel: Tunnel
  access: Access
  documents: DocumentService
  sync: SyncEngine
  bundles: Bundles
}

const ofDocument = Type.Object({ id: Type.String({ description: 'A document’s id, without `automerge:`' }) })
const base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'Bytes in base64' })

/**
 * Offers what the relay can do as tasks, to those who may do it. Bytes are base64: every client can read that, not
 * every one a stream.
 */
export function offerTasks ({ tunnel, access, documents, sync, bundles }: TasksParts): void {
  const read = Type.Object({ id: Type.String(), document: base64 })
  tunnel.registerTask('relay.documents.get', { input: ofDocument, result: read }, telling(async (input, principal) => {
    const id = documentId(input.id)
    const isAllowed = await access.allows(principal, 'document:read', id) === true
    if (!isAllowed) throw new RelayError('RELAY_DOCUMENT_NOT_FOUND', `Document not found: ${id}`)
    return { id, document: encoded(await documents.snapshot(id)) }
  }))

  const create = { input: Type.Object({ document: Type.Optional(base64) }), result: ofDocument }
  tunnel.registerTask('relay.documents.create', create, telling(async (input, principal) => {
    await access.require(principal, 'document:create')
    const { id } = input.document === undefined
      ? await documents.create(Buffer.from('{}'))
      : await documents.import(Buffer.from(input.document, 'base64'))
    return { id }
  }))

  const slim = Type.Object({ id: Type.String(), etag: Type.String(), bundle: base64 })
  tunnel.registerTask('relay.bundles.slim', { input: ofDocument, result: slim }, telling(async (input, principal) => {
    const id = documentId(input.id)
    const isAllowed = await access.allows(principal, 'bundle:read', id) === true
    if (!isAllowed) throw new RelayError('RELAY_BUNDLE_NOT_FOUND', `Bundle not found: ${id}`)
    const { bytes, etag } = await bundles.slim(id)
    return { id, etag, bundle: encoded(bytes) }
  }))

  const stats = Type.Object({ connections: Type.Integer(), peers: Type.Integer(), documents: Type.Integer() })
  tunnel.registerTask('relay.stats', { result: stats }, telling(async (_input, principal) => {
    await access.require(principal, 'metrics:read')
    return sync.stats()
  }))
}

const encoded = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

function documentId (text: string): DocumentId {
  if (!isDocumentId(text)) throw refusal('INVALID_INPUT', 'input/id is not a document id')
  return text
}

/** Answers with the relay's own errors as its other routes do. */
function telling<Input, Result> (
  run: (input: Input, principal: Principal) => Promise<Result>
): (input: Input, call: Call) => Promise<Result> {
  return async (input, { principal }) => {
    try {
      return await run(input, principal as Principal)
    } catch (error) {
      throw error instanceof RelayError ? tunnelErrorOf(error) : error
    }
  }
}

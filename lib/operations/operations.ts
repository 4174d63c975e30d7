import { Type } from 'typebox'
import type { Bundles } from '../bundles/bundles.ts'
import { RelayError } from '../errors.ts'
import { isDocumentId, newDocumentId, type DocumentId } from '../ids.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { TunnelError, refusal } from '../tunnel/errors.ts'
import type { Tunnel } from '../tunnel/tunnel.ts'

export interface OperationsParts { tunnel: Tunnel, sync: SyncEngine, bundles: Bundles }

const ofDocument = Type.Object({ id: Type.String({ description: 'A document’s id, without `automerge:`' }) })
const base64 = Type.String({ pattern: '^[A-Za-z0-9+/]*={0,2}$', description: 'Bytes in base64' })

/** Offers what the relay can do as tasks. Bytes are base64: every client can read that, not every one a stream. */
export function offerOperations ({ tunnel, sync, bundles }: OperationsParts): void {
  tunnel.registerTask('relay.documents.get', { input: ofDocument, result: Type.Object({ id: Type.String(), document: base64 }) }, telling(async ({ id }) => {
    const document = await sync.snapshot(documentId(id))
    if (document === null) throw new TunnelError(404, { message: `no document ${id}`, code: 'NOT_FOUND' })
    return { id, document: encoded(document) }
  }))

  const given = Type.Object({ document: Type.Optional(base64) })
  tunnel.registerTask('relay.documents.create', { input: given, result: ofDocument }, telling(async ({ document }) => {
    const id = newDocumentId()
    await sync.merge(id, [document === undefined ? await emptyDocument() : Buffer.from(document, 'base64')])
    return { id }
  }))

  const slim = Type.Object({ id: Type.String(), etag: Type.String(), bundle: base64 })
  tunnel.registerTask('relay.bundles.slim', { input: ofDocument, result: slim }, telling(async ({ id }) => {
    const { bytes, etag } = await bundles.slim(documentId(id))
    return { id, etag, bundle: encoded(bytes) }
  }))

  const stats = Type.Object({ connections: Type.Integer(), peers: Type.Integer(), documents: Type.Integer() })
  tunnel.registerTask('relay.stats', { result: stats }, () => sync.stats())
}

const encoded = (bytes: Uint8Array): string => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')

function documentId (text: string): DocumentId {
  if (!isDocumentId(text)) throw refusal('INVALID_INPUT', 'input/id is not a document id')
  return text
}

/** One change with nothing in it: a document without any is none to other peers. */
async function emptyDocument (): Promise<Uint8Array> {
  const Automerge = await import('@automerge/automerge')
  return Automerge.save(Automerge.emptyChange(Automerge.init()))
}

/** Tells callers of the relay's own refusals, as its other doors do. */
function telling<Input, Result> (run: (input: Input) => Promise<Result>): (input: Input) => Promise<Result> {
  return async input => {
    try {
      return await run(input)
    } catch (error) {
      if (!(error instanceof RelayError)) throw error
      const { code, statusCode } = error
      // whose message names a path of this machine's
      const message = code === 'RELAY_STORAGE_FAILED' ? 'The storage cannot be used at the moment' : error.message
      throw new TunnelError(statusCode, { message, code }, { cause: error })
    }
  }
}

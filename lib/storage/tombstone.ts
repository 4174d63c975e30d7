import { RelayError, codeOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { StorageKey } from './key.ts'

/**
 * The file that says that a document has been deleted, whatever else there is of it. It is beside the document's
 * chunks, where readers of the nodefs layout ask for `snapshot` and `incremental` only.
 */
export const tombstoneOf = (id: DocumentId): StorageKey => [id, 'deleted', 'tombstone']

export const isTombstone = (key: StorageKey): boolean => key[1] === 'deleted'

export const tombstone = (): Uint8Array => Buffer.from(`${JSON.stringify({ deletedAt: new Date().toISOString() })}\n`)

export const deletedDocument = (id: DocumentId): RelayError =>
  new RelayError('RELAY_DOCUMENT_DELETED', `Document deleted: ${id}`)

/** What is read of a document; null when it has been deleted. */
export async function unlessDeleted<T> (read: Promise<T>): Promise<T | null> {
  try {
    return await read
  } catch (error) {
    if (isDeletion(error)) return null
    throw error
  }
}

/** What is read of a document; null when it has been deleted, or nothing of it can be read. */
export async function unlessGone<T> (read: Promise<T>): Promise<T | null> {
  try {
    return await unlessDeleted(read)
  } catch (error) {
    if (codeOf(error) === 'RELAY_DOCUMENT_DAMAGED') return null
    throw error
  }
}

/** Whether an error says that a document has been deleted. */
export const isDeletion = (error: unknown): boolean => codeOf(error) === 'RELAY_DOCUMENT_DELETED'

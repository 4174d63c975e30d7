import type { RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Damage } from './damage.ts'

/**
 * What another relay on the same store has done to a document: appended changes, or stored or deleted it as a whole.
 */
export type Heard = { readonly changes: Uint8Array } | 'replaced' | 'deleted'

/** Which ids are asked for: at most `limit` of those after `after` that begin with `prefix`. */
export interface IdQuery { after?: string, prefix?: string, limit: number }

/** What a document takes where it is stored. */
export interface Footprint { files: number, bytes: number }

/**
 * What is on its way. Bytes: `journal`, appended since it was last folded; `held`, those that are in no chunk yet.
 * Numbers of documents: `documents` with such changes, `compactions` whose chunks wait to be made one.
 */
export interface StorageLevels { journal: number, held: number, documents: number, compactions: number }

/**
 * Where documents are stored: the seam between what keeps them and everybody else. Documents are Automerge chunks in
 * any order, some perhaps twice; nobody above it knows of files, journals or buckets.
 */
export interface DocumentStore {
  /** The store's id, a UUID; known once it is open. Relays on the same store have the same. */
  readonly id: string
  /** Folder on this machine for what the relay keeps beside its documents. */
  readonly folder: string
  /** Documents of which something stored cannot be read. */
  readonly damage: Damage
  /** Bytes of changes that cannot go where they belong at the moment. */
  readonly backlog: number
  readonly levels: StorageLevels
  /** Why nothing can be stored at the moment, if that is so. */
  readonly failure: unknown
  /** ms that the write under way takes by now; 0 when there is none. */
  readonly stalled: number
  /** Resolves when the store is found to be another relay’s: nothing can be stored any more, ever. */
  readonly lost: Promise<RelayError>

  /** Proves that something can be stored. @throws RelayError RELAY_STORAGE_FAILED */
  probe (): Promise<void>
  /**
   * Stores changes of a document (whole Automerge chunks that apply to it); as durable as configured when resolved.
   * Those of one document become durable in the order of the calls. Waits as long as they cannot be stored.
   * @throws RelayError RELAY_STORAGE_FAILED or RELAY_CLOSING
   */
  append (id: DocumentId, changes: Uint8Array): Promise<void>
  /**
   * Stores a large chunk; durable when resolved. It may depend on what was appended before; what depends on it is to be
   * appended after. @throws RelayError RELAY_STORAGE_FAILED or RELAY_CLOSING
   */
  put (id: DocumentId, chunk: Uint8Array): Promise<void>
  /**
   * All that is stored of a document and whole; none when there is no such document.
   * @throws RelayError RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED
   */
  chunks (id: DocumentId): Promise<Uint8Array[]>
  /**
   * Makes all that is stored of a document one chunk, as `Automerge.save` does, and returns it.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_STORAGE_FAILED
   */
  compact (id: DocumentId): Promise<Uint8Array>
  /**
   * Deletes a document for good; as durable as configured when resolved. Nothing may be stored of it after.
   * @throws RelayError RELAY_STORAGE_FAILED or RELAY_CLOSING
   */
  remove (id: DocumentId): Promise<void>
  /** Whether there is such a document. @throws RelayError RELAY_STORAGE_FAILED */
  has (id: DocumentId): Promise<boolean>
  /** Ids in their order, those of deleted documents too. @throws RelayError RELAY_STORAGE_FAILED */
  ids (query: IdQuery): Promise<DocumentId[]>
  /**
   * What is stored of a document, without reading it.
   * @throws RelayError RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED
   */
  footprint (id: DocumentId): Promise<Footprint>
  /**
   * Tells what other relays on the same store do to a document, in the order in which it was stored. What is durable
   * when this returns is in `chunks`, what comes after is told, and some perhaps both. A store of one relay has no such
   * method.
   * @returns the way to stop
   */
  follow? (id: DocumentId, heard: (heard: Heard) => void): () => void
}

import type { Hash } from '../automerge/format/hash.ts'
import type { DocumentId } from '../ids.ts'
import type { RelayError } from '../errors.ts'
import type { Grant } from './peers/grant.ts'

/** What the engine needs of a connection's transport (a WebSocket, a pipe in a test). */
export interface Transport {
  /** Sends frames, each one of `heads` with `tail` after it. Never throws: a closed transport drops them. */
  send (heads: readonly Uint8Array[], tail: Uint8Array): void
  /** Bytes handed to `send` that the other side has not taken yet. */
  readonly backlog: number
  /** Closes with a WebSocket code and a reason of at most 123 bytes. */
  close (code: number, reason: string): void
  /** Bytes of the largest message that the other side takes; any, without it. */
  readonly maxMessage?: number
  /** Bytes that a message took once it was inflated, beyond what came. */
  charge? (bytes: number): void
  /** What the log calls where it comes from; undefined in the relay's own process, where there are no limits. */
  readonly source?: string
}

/** One connected peer, as the transport's owner sees it. */
export interface Connection {
  /** What the relay calls it in its log. */
  readonly key: string
  /** What its peer calls itself; empty until it joined. */
  readonly peerId: string
  /** The documents its peer has asked for or synced, as they are now. */
  readonly followed: ReadonlySet<DocumentId>
  /** One received frame. Errors are this connection's own: it is closed with a code, nothing is thrown. */
  receive (frame: Uint8Array): void
  /** The peer no longer follows a document, which no frame of the protocol tells. It may ask for it again. */
  unfollow (id: DocumentId): void
  /** The transport refused something itself (a text frame, too large a frame): closes with that error. */
  refuse (error: RelayError): void
  /** The transport is gone. */
  closed (): void
}

/** `connections` include those that have not joined yet; `documents` are those in memory. */
export interface EngineStats { connections: number, peers: number, documents: number }

/** A document in memory. `changes` is how many it is made of, undefined where only Automerge can tell. */
export interface DocumentState { heads: readonly string[], changes: number | undefined, peers: number }

/**
 * Keeps documents and their peers in sync. The seam between the relay and whatever does the syncing: everything above
 * it (routes, bundles, metrics) knows only this.
 */
export interface SyncEngine {
  /**
   * Takes on a new connection; the peer is expected to send `join`.
   * @param grant what it may do; everything without one
   */
  connect (transport: Transport, grant?: Grant): Connection
  /**
   * The document as stored now, edits received before the call included, in `Automerge.save` format (the whole
   * history in one document chunk); null when there is none. Rejects with RELAY_DOCUMENT_DELETED or
   * RELAY_DOCUMENT_DAMAGED when nothing of it can be read.
   */
  snapshot (id: DocumentId): Promise<Uint8Array | null>
  /**
   * Merges Automerge chunks (any mix of document and change chunks) into a document, creating it when new; peers that
   * have it open are told. Durable when resolved. Rejects with RELAY_DOCUMENT_INVALID, RELAY_DOCUMENT_DELETED or
   * RELAY_STORAGE_FAILED.
   * @param checked that the chunks load by themselves has been seen already: a new document is not loaded again
   */
  merge (id: DocumentId, chunks: Uint8Array[], checked?: boolean): Promise<void>
  /**
   * The durable heads of a document, sorted; none of one that is not there. Rejects as `snapshot`, or with
   * RELAY_STORAGE_FAILED.
   */
  heads (id: DocumentId): Promise<Hash[]>
  /**
   * Takes changes (one chunk each) that Automerge has made on what is stored of a document; durable when resolved.
   * @param expected heads: rejects with RELAY_PRECONDITION_FAILED when it has others by then. Else rejects as
   *   `merge`, or with RELAY_DOCUMENT_TOO_LARGE when there is no room for them
   */
  apply (id: DocumentId, changes: Uint8Array[], expected?: Hash[]): Promise<void>
  /**
   * Deletes a document for good: nobody brings it back. Durable when resolved; its peers have been told that there is
   * no such document. Rejects with RELAY_DOCUMENT_NOT_FOUND, RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED.
   */
  remove (id: DocumentId): Promise<void>
  /**
   * Calls back after each change of a document, its deletion included, from wherever it came; returns the way to stop.
   */
  onChange (listener: (id: DocumentId) => void): () => void
  stats (): EngineStats
  /** The ids of the documents in memory, as they are now. */
  openIds (): Iterable<DocumentId>
  /** A document in memory, without reading anything; undefined when it is not there. */
  state (id: DocumentId): DocumentState | undefined
  /** Closes every peer with RELAY_CLOSING and takes no new ones. */
  disconnect (): void
  /** Writes what is not on disk yet and lets everything go. */
  close (): Promise<void>
}

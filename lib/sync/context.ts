import type { StoredDocument } from '../automerge/checks/document.ts'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import type { SyncSessions } from '../automerge/workers/sync-sessions.ts'
import type { RelayError } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { DocumentStore } from '../storage/document-store.ts'
import type { ConnectionLimits, PeerConnection } from './peers/connection.ts'
import type { FrameType } from '../wire/frame.ts'
import type { History } from './document/history.ts'
import type { QuotaParts, Quotas } from './peers/quotas.ts'

/** When others may see an edit: once it is stored as `durability` says, or as soon as it is received. */
export type Forward = 'stored' | 'received'

/** Why a peer's sync is left to Automerge. */
export type FallbackCause =
  'unknown-heads' | 'unclear-changes' | 'whole-document' | 'need' | 'behind' | 'old-protocol' | 'flags' | 'silent'
  | 'merge'

/** What the engine reports; the relay's metrics are one. */
export interface EngineMeter {
  messageIn (type: FrameType | 'invalid', bytes: number): void
  messageOut (type: FrameType, bytes: number): void
  syncLatency (seconds: number): void
  refused (code: RelayError['code']): void
  fallback (cause: FallbackCause): void
  /** A message was not sent because its peer takes none so large. */
  withheld (): void
}

/** What an engine is made of. */
export interface RelayEngineOptions {
  documents: DocumentStore
  automerge: AutomergePool
  forward: Forward
  limits: ConnectionLimits & { /** ms a document stays in memory after its last peer left */ idleTimeout: number }
  /** What peers may have; those of this process may have everything */
  quotas: QuotaParts
  meter: EngineMeter
  log: Log
}

/** A document in memory, as the engine's parts see it. */
export interface Flushable { readonly id: DocumentId, flush (): void }

/** Whoever goes on sending to a peer once it has read what it was sent. */
export interface Resumable { resume (peer: PeerConnection): void }

/** What a document needs of the engine that holds it. */
export interface DocumentContext {
  readonly documents: DocumentStore
  readonly automerge: AutomergePool
  readonly sessions: SyncSessions
  readonly forward: Forward
  readonly quotas: Quotas
  readonly meter: EngineMeter
  readonly log: Log
  /** Reads a document chunk, on another thread when it is large. @throws RelayError RELAY_DOCUMENT_INVALID */
  readDocument (chunk: Uint8Array): Promise<StoredDocument>
  /** The history of what is stored of a document. @throws RelayError RELAY_STORAGE_FAILED or RELAY_DOCUMENT_INVALID */
  read (id: DocumentId): Promise<History>
  /** Has the document flushed once what runs now is done. */
  schedule (document: Flushable): void
  /** The peer has left too much unread: it is sent nothing but what it asks for until it has read that. */
  lag (audience: Resumable, peer: PeerConnection): void
  /** Changes of the document are durable; it is flushed. */
  changed (document: Flushable): void
  /**
   * A peer cannot be answered: it is closed, or told that there is no such document when the fault is the document's.
   */
  failing (id: DocumentId, peer: PeerConnection, error: RelayError): void
  /** A message about a document is larger than what the peer takes: it is told that there is no such document. */
  withhold (id: DocumentId, peer: PeerConnection, bytes: number): void
  /** The document's changes cannot be stored: it is let go with all its peers. */
  failed (document: Flushable, error: unknown): void
}

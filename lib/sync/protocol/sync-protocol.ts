import type { Hash } from '../../automerge/format/hash.ts'
import type { DocumentId } from '../../ids.ts'
import type { SyncFrame } from '../../wire/frame.ts'

/** What a peer says about a document. */
export interface Statement {
  /** It wants the document and has nothing of it. */
  readonly isRequest: boolean
  /** The heads of what it has. */
  readonly heads: Hash[]
  /** What it brings: each is one or more chunks, joined. */
  readonly changes: Uint8Array[]
  /** It asks for changes by their hashes. */
  readonly needsChanges: boolean
  /** It accepts no changes, or is to be told again what it has been told already. */
  readonly hasFlags: boolean
  /** How many changes it says that it has and does not know the relay to have. */
  readonly claims: number
  /** Whether it reads whole documents inside a message. */
  readonly readsDocuments: boolean
  /** The message as Automerge's own sync reads it. */
  readonly data: Uint8Array
}

/** How a peer is to send a document that it is asked for: change by change, whole, or with what it left out before. */
export type RequestForm = 'changes' | 'whole' | 'again'

/**
 * How what is said about documents is written. What is said, and to whom, others decide. Messages are frames without
 * their target's id: the same bytes for all who are told the same.
 */
export interface SyncProtocol {
  /** As peers name it in their handshake. */
  readonly version: string
  /** @throws RelayError RELAY_SYNC_INVALID */
  read (frame: SyncFrame): Statement
  /** The rest of what a peer says that may not bring changes. */
  withoutChanges (statement: Statement): Statement
  /** The document is at these heads, and the peer has all of it but these changes. */
  changes (id: DocumentId, heads: Hash[], changes: Uint8Array[], isReadOnly: boolean): Uint8Array
  /** The document is at these heads, and these chunks are all of it. */
  document (id: DocumentId, heads: Hash[], chunks: Uint8Array, isReadOnly: boolean): Uint8Array
  /** The relay has nothing of the document, and asks for what has these heads. */
  request (id: DocumentId, heads: Hash[], form: RequestForm): Uint8Array
  /** The document is at these heads, whatever the peer has. */
  heads (id: DocumentId, heads: Hash[], isReadOnly: boolean): Uint8Array
  /** The same, and the peer is to say again what it has. */
  invitation (id: DocumentId, heads: Hash[], isReadOnly: boolean): Uint8Array
  /** A message of Automerge's own sync. */
  message (id: DocumentId, data: Uint8Array): Uint8Array
}

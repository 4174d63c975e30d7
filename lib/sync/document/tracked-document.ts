import { Buffer } from 'node:buffer'
import { ChangeReader, readChange } from '../../automerge/format/change.ts'
import { CHUNK_TYPES, splitChunks, type Chunk } from '../../automerge/format/chunk.ts'
import type { Hash } from '../../automerge/format/hash.ts'
import { readOperations } from '../../automerge/format/operations.ts'
import type { RelayError } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import { deletedDocument } from '../../storage/tombstone.ts'
import type { DocumentContext } from '../context.ts'
import type { PeerConnection } from '../peers/connection.ts'
import type { Rights } from '../peers/grant.ts'
import type { Full } from '../peers/quotas.ts'
import { changeDenied } from '../refusal.ts'
import type { History, LogEntry } from './history.ts'

const MAX_JOURNALLED_BYTES = 64 * 1024

/** A version of a document with its heads. */
export interface State { readonly version: number, readonly heads: Hash[] }

/** Whoever brings changes. */
export interface Author {
  readonly peer: PeerConnection
  /** Its changes made this version. @param now ms of `performance.now()` */
  brought (version: number, now: number): void
}

/** What becomes of a document's changes. */
export interface DocumentEvents {
  /** More of them were received, and are being stored. */
  received (): void
  /** More of them are durable. */
  durable (): void
  /** What is stored has become another document; all of it is durable. */
  replaced (): void
  /** They cannot be stored. */
  failed (error: unknown): void
}

/**
 * A document that is not opened: its history, and what of it is durable. Changes are checked, and stored as they came.
 */
export class TrackedDocument {
  readonly id: DocumentId
  readonly #context: DocumentContext
  readonly #events: DocumentEvents
  #history: History
  /** What is durable, and the promise of what will be. */
  #durable: State
  #stored: Promise<void> = Promise.resolve()
  #changedAt = 0
  #isDeleted = false
  /** Why it accepts no more changes from peers. */
  #full: Full | undefined

  /** @param history of what is stored */
  constructor (id: DocumentId, history: History, context: DocumentContext, events: DocumentEvents) {
    this.id = id
    this.#context = context
    this.#events = events
    this.#history = history
    this.#durable = stateOf(history)
  }

  get history (): History { return this.#history }
  get durable (): State { return this.#durable }
  get isDeleted (): boolean { return this.#isDeleted }
  get isFull (): boolean { return this.#full !== undefined }
  /** Whether all of it is durable. */
  get isSettled (): boolean { return this.#durable.version === this.#history.version }
  /** When it last changed (ms of `performance.now()`). */
  get changedAt (): number { return this.#changedAt }

  /**
   * Whether a peer's changes are accepted. When once there is no room for some, none are until the document is opened
   * anew.
   */
  accepts ({ write, create }: Rights, changes: Uint8Array[] = []): boolean {
    if (changes.length > 0) this.#full ??= this.#context.quotas.past(this.#history, changes)
    const { isEmpty, isDamaged } = this.#history
    return this.#full === undefined && (isEmpty && !isDamaged ? create : write)
  }

  /** Why they are not. */
  refusal ({ write }: Rights): RelayError {
    return this.#full !== undefined && write ? this.#context.quotas.refusal(this.#full) : changeDenied()
  }

  /**
   * Adds the changes a peer brings and stores them; false when it is unclear whether they fit, those before are added.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_SYNC_INVALID for one that must not be passed on
   */
  add (chunks: Chunk[], from: Author): boolean {
    const added: Uint8Array[] = []
    const reader = new ChangeReader()
    try {
      return this.#place(chunks, reader, added, from.peer)
    } finally {
      from.peer.charge(reader.inflated)
      this.#store(added, from)
    }
  }

  /**
   * Adds changes that others on the same store have stored: they are not stored again, and count as durable once all
   * that was added before them is. False when it is unclear whether they fit, those before are added: what is missing
   * may come, or the document is to be read anew.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_SYNC_INVALID for one that must not be passed on
   */
  learn (changes: Uint8Array): boolean {
    if (this.#isDeleted) return true
    const wasSettled = this.isSettled
    const added: Uint8Array[] = []
    try {
      return this.#place(splitChunks(changes), new ChangeReader(), added)
    } finally {
      if (added.length > 0) this.#learned(wasSettled)
    }
  }

  /**
   * Checks the changes that are to be placed by Automerge.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_SYNC_INVALID
   */
  examine (chunks: Chunk[], { peer }: Author): void {
    const reader = new ChangeReader()
    try {
      for (const { type, bytes } of chunks) {
        if (type === CHUNK_TYPES.document) continue
        const change = reader.read(bytes)
        this.#history.refuseAbsurd(change)
        readOperations(change)
      }
    } finally {
      peer.charge(reader.inflated)
    }
  }

  /**
   * Adds changes that Automerge has applied, and stores them.
   * @throws RelayError RELAY_DOCUMENT_INVALID for one that must not be passed on all the same; those before are added
   */
  addApplied (changes: Uint8Array[], from?: Author): void {
    const added: Uint8Array[] = []
    try {
      for (const bytes of changes) {
        const change = readChange(bytes)
        if (this.#history.includes(change)) continue
        const operations = this.#history.isOpaque ? undefined : readOperations(change)
        if (operations !== undefined) this.#history.check(change, operations)
        this.#history.add(change, operations, bytes, from?.peer)
        added.push(bytes)
      }
    } finally {
      this.#store(added, from)
    }
  }

  /**
   * Stores chunks, and reads the document as it then is.
   * @throws RelayError RELAY_STORAGE_FAILED or RELAY_DOCUMENT_INVALID
   */
  async put (chunks: Uint8Array): Promise<void> {
    const { documents, read } = this.#context
    // what is small is quicker written together with what else comes in
    if (chunks.length < MAX_JOURNALLED_BYTES) await documents.append(this.id, chunks)
    else await documents.put(this.id, chunks)
    this.#history = await read(this.id)
    this.#durable = stateOf(this.#history)
    this.#events.replaced()
  }

  /** Deletes it for good; durable when resolved. @throws RelayError RELAY_STORAGE_FAILED */
  async remove (): Promise<void> {
    this.#isDeleted = true
    await this.#context.documents.remove(this.id)
  }

  /** @throws RelayError RELAY_DOCUMENT_DELETED */
  refuseWhenDeleted (): void {
    if (this.#isDeleted) throw deletedDocument(this.id)
  }

  /** Resolves when all changes until now are durable; rejects when they never will be. */
  async whenDurable (): Promise<void> { await this.#stored }

  /** The changes after a version, which are still at hand. */
  since (version: number): LogEntry[] { return this.#history.between(version)! }

  /** Forgets old changes. @param needed the version after which all of them are still needed */
  trim (needed: number): void { this.#history.trim(Math.min(this.#durable.version, needed)) }

  /** Adds changes that are next, until one is not. @param added gets those that were not known */
  #place (chunks: Chunk[], reader: ChangeReader, added: Uint8Array[], from?: PeerConnection): boolean {
    for (const { type, bytes } of chunks) {
      if (type === CHUNK_TYPES.document) return false
      const change = reader.read(bytes)
      const place = this.#history.place(change)
      if (place === 'unclear') return false
      if (place === 'known') continue
      const operations = readOperations(change)
      this.#history.check(change, operations)
      const copy = Buffer.from(bytes) // the message is not to be kept for it
      this.#history.add(change, operations, copy, from)
      added.push(copy)
    }
    return true
  }

  /** The history has changes that are durable. @param wasSettled whether those before them were */
  #learned (wasSettled: boolean): void {
    const state = stateOf(this.#history)
    this.#changedAt = performance.now()
    const durable = (): void => {
      if (state.version > this.#durable.version) this.#durable = state
      this.#events.durable()
    }
    if (wasSettled) {
      durable()
      return
    }
    this.#stored = this.#stored.then(durable)
    this.#stored.catch(() => {}) // what is before them cannot be stored, which is told where it was to be
    this.#events.received()
  }

  #store (changes: Uint8Array[], from?: Author): void {
    if (changes.length === 0) return
    this.refuseWhenDeleted()
    const state = stateOf(this.#history)
    this.#changedAt = performance.now()
    from?.brought(state.version, this.#changedAt)
    const stored = this.#context.documents.append(this.id, changes.length === 1 ? changes[0]! : Buffer.concat(changes))
    this.#stored = stored.then(() => {
      this.#durable = state
      this.#events.durable()
    })
    this.#stored.catch(error => { this.#events.failed(error) })
    this.#events.received()
  }
}

const stateOf = ({ version, heads }: History): State => ({ version, heads })

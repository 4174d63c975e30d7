import { Buffer } from 'node:buffer'
import { ChangeReader, readChange } from '../../automerge/format/change.ts'
import { CHUNK_TYPES, type Chunk } from '../../automerge/format/chunk.ts'
import type { Hash } from '../../automerge/format/hash.ts'
import { readOperations } from '../../automerge/format/operations.ts'
import { RelayError } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import { deletedDocument } from '../../storage/tombstone.ts'
import { Audience, type Incoming } from './audience.ts'
import type { DocumentContext } from '../context.ts'
import type { Follower } from './follower.ts'
import { ALL_RIGHTS, type Rights } from '../peers/grant.ts'
import type { History, LogEntry } from './history.ts'
import type { Full } from '../peers/quotas.ts'
import { changeDenied } from '../refusal.ts'

const MAX_JOURNALLED_BYTES = 64 * 1024 // bytes

/** A version of a document with its heads. */
export interface State { readonly version: number, readonly heads: Hash[] }

/**
 * A document that is not opened: its history, what of it is stored, and who follows it. Changes are checked, stored, and
 * passed on as they came.
 */
export class LiveDocument {
  readonly id: DocumentId
  readonly audience: Audience
  readonly #context: DocumentContext
  #history: History
  /** What is durable, and the promise of what will be. */
  #durable: State
  #stored: Promise<void> = Promise.resolve()
  #changedAt = 0
  #used = true
  #isDeleted = false
  /** Why it takes no more changes from peers. */
  #full: Full | undefined
  /** What has the document to itself, one after the other, and the messages that wait for it. */
  #turn: Promise<void> = Promise.resolve()
  #turns = 0
  #waiting: Array<() => void> = []

  /** @param history of what is stored */
  constructor (id: DocumentId, history: History, context: DocumentContext) {
    this.id = id
    this.#context = context
    this.#history = history
    this.#durable = { version: history.version, heads: history.heads }
    this.audience = new Audience(this, context)
  }

  get history (): History { return this.#history }
  get durable (): State { return this.#durable }
  /** When it last changed (ms of `performance.now()`). */
  get changedAt (): number { return this.#changedAt }

  /** Whether somebody follows it, or something of it is under way. */
  get isInUse (): boolean { return !this.audience.isIdle || this.#durable.version < this.#history.version || this.#turns > 0 }

  /** Whether it is in use, or was since the last call. */
  touch (): boolean {
    const used = this.#used || this.isInUse
    this.#used = this.isInUse
    return used
  }

  /** Whether there is nothing to remember of it. */
  get isVacant (): boolean { return this.#history.isEmpty && !this.#history.isDamaged && this.#full === undefined && this.#turns === 0 && this.audience.isWaiting }

  /** Whether changes of a peer are taken. When once there is no room for some, none are until the document is opened anew. */
  admits ({ write, create }: Rights, changes: Uint8Array[] = []): boolean {
    if (changes.length > 0) this.#full ??= this.#context.quotas.past(this.#history, changes)
    const { isEmpty, isDamaged } = this.#history
    return this.#full === undefined && (isEmpty && !isDamaged ? create : write)
  }

  /** Why they are not. */
  refusal ({ write }: Rights): RelayError {
    return this.#full !== undefined && write ? this.#context.quotas.refusal(this.#full) : changeDenied()
  }

  /** A peer's message. Errors are the peer's own, it is closed. @throws RelayError RELAY_PEER_SLOW when too many wait */
  receive (incoming: Incoming): void {
    if (this.#turns === 0) {
      this.#hear(incoming)
      return
    }
    const release = incoming.peer.hold(incoming.data.length)
    this.#waiting.push(() => {
      release()
      if (incoming.peer.open) this.#hear(incoming)
    })
  }

  /**
   * Adds the changes a peer brings and stores them; false when it is unclear whether they fit, those before are added.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_SYNC_INVALID for one that must not be passed on
   */
  add (chunks: Chunk[], from: Follower): boolean {
    const added: Uint8Array[] = []
    const reader = new ChangeReader()
    try {
      for (const { type, bytes } of chunks) {
        if (type === CHUNK_TYPES.document) return false
        const change = reader.read(bytes)
        const place = this.#history.place(change)
        if (place === 'unclear') return false
        if (place === 'known') continue
        const operations = readOperations(change)
        this.#history.check(change, operations)
        const copy = Buffer.from(bytes) // the frame is not to be kept for it
        this.#history.add(change, operations, copy, from.peer)
        added.push(copy)
      }
      return true
    } finally {
      from.peer.charge(reader.inflated)
      this.#store(added, from)
    }
  }

  /** Checks the changes that are to be placed by Automerge. @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_SYNC_INVALID */
  examine (chunks: Chunk[], { peer }: Follower): void {
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
  addApplied (changes: Uint8Array[], from?: Follower): void {
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
   * Takes changes that were made on what is stored; durable when resolved.
   * @param expected the heads that the document must have still
   * @throws RelayError RELAY_PRECONDITION_FAILED, RELAY_DOCUMENT_DELETED, RELAY_DOCUMENT_TOO_LARGE, or as `merge`
   */
  async apply (changes: Uint8Array[], expected?: Hash[]): Promise<void> {
    await this.#alone(async () => {
      this.#refuseWhenDeleted()
      if (expected !== undefined && !this.#history.hasHeads(expected)) throw new RelayError('RELAY_PRECONDITION_FAILED', 'The document has changed')
      if (!this.admits(ALL_RIGHTS, changes)) throw this.refusal(ALL_RIGHTS)
      this.addApplied(changes)
    })
    await this.#stored
  }

  /**
   * Deletes the document for good; durable when resolved. Its peers are to be told.
   * @throws RelayError RELAY_DOCUMENT_NOT_FOUND, RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED
   */
  async remove (): Promise<void> {
    await this.#alone(async () => {
      this.#refuseWhenDeleted()
      if (this.#history.isEmpty && !this.#history.isDamaged) throw new RelayError('RELAY_DOCUMENT_NOT_FOUND', `Document not found: ${this.id}`)
      this.#isDeleted = true
      await this.#context.documents.remove(this.id)
    })
  }

  /** Resolves when all changes until now are durable; rejects when they never will be. */
  async whenDurable (): Promise<void> { await this.#stored }

  /** The changes after a version, which are still at hand. */
  since (version: number): LogEntry[] { return this.#history.between(version)! }

  /**
   * Takes a whole document that is not here yet; durable when resolved.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_STORAGE_FAILED
   */
  async create (chunk: Uint8Array): Promise<void> {
    await this.#alone(async () => {
      this.#refuseWhenDeleted()
      await this.#context.readDocument(chunk)
      await this.#context.automerge.inspect([chunk])
      await this.#put(chunk)
    })
  }

  /**
   * Merges chunks; durable when resolved.
   * @param isChecked that they load by themselves is known
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_STORAGE_FAILED
   */
  async merge (chunks: Uint8Array, isChecked: boolean): Promise<void> {
    await this.#alone(async () => {
      this.#refuseWhenDeleted()
      const { documents, automerge } = this.#context
      if (this.#history.isEmpty) {
        if (!isChecked) await automerge.inspect([chunks])
        await this.#put(chunks)
      } else if (this.audience.isIdle) {
        if (await automerge.adds(await documents.chunks(this.id), [chunks])) await this.#put(chunks)
      } else {
        await this.audience.merge(chunks)
      }
    })
  }

  /** Passes on what has become durable, and forgets what nobody needs any more. */
  flush (): void {
    this.audience.flush()
    this.#history.trim(Math.min(this.#durable.version, this.audience.keeps))
  }

  close (): void { this.audience.close() }

  #store (changes: Uint8Array[], from?: Follower): void {
    if (changes.length === 0) return
    this.#refuseWhenDeleted()
    const { version, heads } = this.#history
    const now = this.#changedAt = performance.now()
    if (from !== undefined) {
      from.own = version
      from.unanswered ??= now
    }
    const stored = this.#context.documents.append(this.id, changes.length === 1 ? changes[0]! : Buffer.concat(changes))
    this.#stored = stored.then(() => {
      this.#durable = { version, heads }
      this.#context.changed(this)
    })
    this.#stored.catch(error => { this.#context.failed(this, error) })
    if (this.#context.forward === 'received') this.#context.schedule(this)
  }

  /** Stores chunks, and takes the document as it then is. */
  async #put (chunks: Uint8Array): Promise<void> {
    const { documents, read } = this.#context
    // what is small is quicker written together with what else comes in
    if (chunks.length < MAX_JOURNALLED_BYTES) await documents.append(this.id, chunks)
    else await documents.put(this.id, chunks)
    this.#history = await read(this.id)
    this.#durable = { version: this.#history.version, heads: this.#history.heads }
    this.audience.replaced()
    this.#context.changed(this)
  }

  #hear (incoming: Incoming): void {
    if (this.#isDeleted) incoming.peer.send({ type: 'doc-unavailable', documentId: this.id })
    else this.audience.hear(incoming)
  }

  #refuseWhenDeleted (): void {
    if (this.#isDeleted) throw deletedDocument(this.id)
  }

  /** Runs with messages held back. */
  async #alone (run: () => Promise<void>): Promise<void> {
    this.#turns++
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {}).then(() => { // told to who waits for the turn
      if (--this.#turns > 0) return
      for (const hear of this.#waiting.splice(0)) hear()
    })
    await turn
  }
}

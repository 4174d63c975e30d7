import type { Hash } from '../../automerge/format/hash.ts'
import { RelayError } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import { Audience } from './audience.ts'
import type { DocumentContext } from '../context.ts'
import type { PeerConnection } from '../peers/connection.ts'
import { ALL_RIGHTS, type Rights } from '../peers/grant.ts'
import type { Statement } from '../protocol/sync-protocol.ts'
import type { History } from './history.ts'
import { TrackedDocument, type State } from './tracked-document.ts'

/** A document in use: what is known of it, who follows it, and what has it to itself for a while. */
export class LiveDocument {
  readonly id: DocumentId
  readonly audience: Audience
  readonly #context: DocumentContext
  readonly #tracked: TrackedDocument
  #used = true
  /** What has the document to itself, one after the other, and the messages that wait for it. */
  #turn: Promise<void> = Promise.resolve()
  #turns = 0
  #waiting: Array<() => void> = []

  /** @param history of what is stored */
  constructor (id: DocumentId, history: History, context: DocumentContext) {
    this.id = id
    this.#context = context
    this.#tracked = new TrackedDocument(id, history, context, {
      received: () => { if (context.forward === 'received') context.schedule(this) },
      durable: () => { context.changed(this) },
      replaced: () => {
        this.audience.replaced()
        context.changed(this)
      },
      failed: error => { context.failed(this, error) }
    })
    this.audience = new Audience(this.#tracked, context, chunk => this.#create(chunk))
  }

  get history (): History { return this.#tracked.history }
  get durable (): State { return this.#tracked.durable }

  /** Whether somebody follows it, or something of it is under way. */
  get isInUse (): boolean { return !this.audience.isIdle || !this.#tracked.isSettled || this.#turns > 0 }

  /** Whether it is in use, or was since the last call. */
  touch (): boolean {
    const used = this.#used || this.isInUse
    this.#used = this.isInUse
    return used
  }

  /** Whether there is nothing to remember of it. */
  get isVacant (): boolean {
    const { history: { isEmpty, isDamaged }, isFull } = this.#tracked
    return isEmpty && !isDamaged && !isFull && this.#turns === 0 && this.audience.isWaiting
  }

  /**
   * A peer's message. Errors are the peer's own, it is closed.
   * @throws RelayError RELAY_PEER_SLOW when too many wait
   */
  receive (peer: PeerConnection, statement: Statement, rights: Rights): void {
    if (this.#turns === 0) {
      this.#hear(peer, statement, rights)
      return
    }
    const release = peer.hold(statement.data.length)
    this.#waiting.push(() => {
      release()
      if (peer.open) this.#hear(peer, statement, rights)
    })
  }

  /**
   * Adds changes that others on the same store have stored, which are durable already; not while something has the
   * document to itself.
   * @returns false when it is unclear whether they fit: what is missing may come, or the document is to be opened anew
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_SYNC_INVALID for one that must not be passed on
   */
  async learn (changes: Uint8Array): Promise<boolean> {
    while (this.#turns > 0) await new Promise<void>(resolve => { this.#waiting.push(resolve) })
    return this.#tracked.learn(changes)
  }

  /**
   * Adds changes that were made on what is stored; durable when resolved.
   * @param expected the heads that the document must have still
   * @throws RelayError RELAY_PRECONDITION_FAILED, RELAY_DOCUMENT_DELETED, RELAY_DOCUMENT_TOO_LARGE, or as `merge`
   */
  async apply (changes: Uint8Array[], expected?: Hash[]): Promise<void> {
    await this.#alone(async () => {
      const tracked = this.#tracked
      if (expected !== undefined && !tracked.history.hasHeads(expected)) {
        throw new RelayError('RELAY_PRECONDITION_FAILED', 'The document has changed')
      }
      if (!tracked.accepts(ALL_RIGHTS, changes)) throw tracked.refusal(ALL_RIGHTS)
      tracked.addApplied(changes)
    })
    await this.#tracked.whenDurable()
  }

  /**
   * Deletes the document for good; durable when resolved. Its peers are to be told.
   * @throws RelayError RELAY_DOCUMENT_NOT_FOUND, RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED
   */
  async remove (): Promise<void> {
    await this.#alone(async () => {
      const { isEmpty, isDamaged } = this.history
      if (isEmpty && !isDamaged) throw new RelayError('RELAY_DOCUMENT_NOT_FOUND', `Document not found: ${this.id}`)
      await this.#tracked.remove()
    })
  }

  /**
   * Merges chunks; durable when resolved.
   * @param isChecked that they load by themselves is known
   * @throws RelayError RELAY_DOCUMENT_INVALID, RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED
   */
  async merge (chunks: Uint8Array, isChecked: boolean): Promise<void> {
    await this.#alone(async () => {
      const { documents, automerge } = this.#context
      if (this.history.isEmpty) {
        if (!isChecked) await automerge.inspect([chunks])
        await this.#tracked.put(chunks)
      } else if (this.audience.isIdle) {
        if (await automerge.adds(await documents.chunks(this.id), [chunks])) await this.#tracked.put(chunks)
      } else {
        await this.audience.merge(chunks)
      }
    })
  }

  /** Passes on what has become durable, and forgets what nobody needs any more. */
  flush (): void {
    this.audience.flush()
    this.#tracked.trim(this.audience.keeps)
  }

  close (): void { this.audience.close() }

  /** Stores a whole document that a peer brings and that is not here yet. @throws as `merge` */
  async #create (chunk: Uint8Array): Promise<void> {
    await this.#alone(async () => {
      await this.#context.readDocument(chunk)
      await this.#context.automerge.inspect([chunk])
      await this.#tracked.put(chunk)
    })
  }

  #hear (peer: PeerConnection, statement: Statement, rights: Rights): void {
    if (this.#tracked.isDeleted) peer.send({ type: 'doc-unavailable', documentId: this.id })
    else this.audience.hear(peer, statement, rights)
  }

  /** Runs with messages held back. @throws RelayError RELAY_DOCUMENT_DELETED when it is deleted by then */
  async #alone (run: () => Promise<void>): Promise<void> {
    this.#turns++
    const turn = this.#turn.then(async () => {
      this.#tracked.refuseWhenDeleted()
      await run()
    })
    this.#turn = turn.catch(() => {}).then(() => { // told to who waits for the turn
      if (--this.#turns > 0) return
      for (const hear of this.#waiting.splice(0)) hear()
    })
    await turn
  }
}

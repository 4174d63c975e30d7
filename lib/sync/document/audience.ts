import { readChange } from '../../automerge/format/change.ts'
import { CHUNK_TYPES, splitChunks } from '../../automerge/format/chunk.ts'
import type { Hash } from '../../automerge/format/hash.ts'
import { readOperations } from '../../automerge/format/operations.ts'
import type { RelayError } from '../../errors.ts'
import type { PeerConnection } from '../peers/connection.ts'
import type { DocumentContext, FallbackCause } from '../context.ts'
import { Fallback, type FallbackPeers } from './fallback.ts'
import { Follower } from './follower.ts'
import type { Rights } from '../peers/grant.ts'
import { Outboxes } from './outbox.ts'
import type { Statement } from '../protocol/sync-protocol.ts'
import { refusalOf } from '../refusal.ts'
import { Snapshots } from './snapshots.ts'
import type { State, TrackedDocument } from './tracked-document.ts'

const MAX_SINGLE_CHANGES = 32 // changes that are sent one by one to who has nothing

/** The peers of a document: what each has, and what it is told. Whom it cannot answer it leaves to the fallback. */
export class Audience implements FallbackPeers {
  readonly #document: TrackedDocument
  readonly #context: DocumentContext
  readonly #create: (chunk: Uint8Array) => Promise<void>
  readonly #followers = new Map<PeerConnection, Follower>()
  readonly #fallback: Fallback
  readonly #snapshots: Snapshots
  readonly #outboxes: Outboxes

  /** @param create stores a whole document that is not here; durable when resolved */
  constructor (document: TrackedDocument, context: DocumentContext, create: (chunk: Uint8Array) => Promise<void>) {
    this.#document = document
    this.#context = context
    this.#create = create
    this.#fallback = new Fallback(document, this, context)
    this.#snapshots = new Snapshots(document.id, context.documents)
    this.#outboxes = new Outboxes(document, context)
  }

  get followers (): ReadonlyMap<PeerConnection, Follower> { return this.#followers }
  get isIdle (): boolean { return this.#followers.size === 0 && !this.#fallback.isActive }
  /** Whether there is nobody, or nobody but those who wait for the document to come. */
  get isWaiting (): boolean {
    return !this.#fallback.isActive && [...this.#followers.values()].every(({ standing }) => standing === 'waiting')
  }

  /** The version after which every change is still needed. */
  get keeps (): number { return this.#fallback.keeps }

  /** A peer asked for the document before it was there, and was told so. */
  expect (peer: PeerConnection): void {
    this.#follower(peer).waits(false)
  }

  /** A peer says something about the document. @param rights of the peer's to it */
  hear (peer: PeerConnection, said: Statement, rights: Rights): void {
    try {
      const follower = this.#follower(peer)
      follower.wasGranted(this.#document.accepts(rights, said.changes))
      const statement = follower.isReadOnly ? this.#withoutChanges(peer, said, rights) : said
      follower.said(statement.claims, statement.readsDocuments, performance.now())
      if (this.#addChanges(follower, statement)) this.#heed(follower, statement)
    } catch (error) {
      peer.refuse(refusalOf(error))
    }
  }

  /** What a peer may do has changed. */
  regrant (peer: PeerConnection, rights: Rights): void {
    const follower = this.#followers.get(peer)
    if (follower === undefined) return
    follower.wasGranted(this.#document.accepts(rights))
    if (follower.asksAgain && follower.standing === 'steady') this.#fallBack(follower, 'flags')
  }

  /**
   * Has a peer that was told there is no document say what it has, and send again what was not accepted; false when it
   * was told no such thing.
   */
  invite (peer: PeerConnection): boolean {
    const follower = this.#follower(peer)
    if (follower.standing !== 'new') return false
    this.#outboxes.of(follower).invite(follower, this.#visible(follower).heads)
    return true
  }

  leave (peer: PeerConnection): void {
    const follower = this.#followers.get(peer)
    if (follower === undefined) return
    this.#followers.delete(peer)
    this.#fallback.leave(follower)
    if (follower.standing === 'asked') this.#settle()
  }

  /** Tells everyone what they do not have yet. */
  flush (): void {
    for (const follower of this.#followers.values()) this.#update(follower)
    this.#outboxes.clear()
    this.#fallback.flush()
  }

  /** A peer has read what it had left unread. */
  resume (peer: PeerConnection): void {
    const follower = this.#followers.get(peer)
    if (follower === undefined) return
    this.#update(follower)
    this.#outboxes.clear()
  }

  /** Takes a peer back from the fallback. @param version which it has */
  steady (follower: Follower, version: number): void {
    follower.catchesUp(version)
    this.resume(follower.peer)
  }

  /** Sends a message that Automerge made. */
  reply (follower: Follower, data: Uint8Array): void {
    this.#outboxes.of(follower).reply(follower, data)
  }

  /** A peer cannot be answered. */
  fail (follower: Follower, error: RelayError): void {
    follower.couldNotBeAnswered()
    this.#context.failing(this.#document.id, follower.peer, error)
  }

  /** Finds peers that should have told the document's heads by now, and has Automerge see to them. @param now ms */
  check (now: number): void {
    const { history, changedAt } = this.#document
    this.#settle()
    for (const follower of this.#followers.values()) {
      if (!follower.isSilent(now, history.version, changedAt)) continue
      follower.wasChecked(now)
      this.#fallback.enter(follower, 'silent')
    }
  }

  /**
   * Merges chunks into the document and tells everyone.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_STORAGE_FAILED
   */
  async merge (chunks: Uint8Array): Promise<void> {
    for (const { type, bytes } of splitChunks(chunks)) {
      if (type !== CHUNK_TYPES.document) readOperations(readChange(bytes))
    }
    await this.#fallback.merge(chunks)
  }

  /** What is stored has become another document. */
  replaced (): void { this.#snapshots.drop() }

  close (): void {
    this.#fallback.close()
    this.#snapshots.drop()
  }

  #follower (peer: PeerConnection): Follower {
    let follower = this.#followers.get(peer)
    if (follower === undefined) this.#followers.set(peer, follower = new Follower(peer))
    return follower
  }

  #isHere (follower: Follower): boolean { return this.#followers.get(follower.peer) === follower }

  /** What a peer that may not bring changes says beside them. */
  #withoutChanges (peer: PeerConnection, statement: Statement, rights: Rights): Statement {
    if (statement.changes.length === 0) return statement
    peer.deny(this.#document.id, this.#document.refusal(rights))
    return peer.protocol.withoutChanges(statement)
  }

  /** Tells those who asked for the document that it is not here, unless a peer is about to bring it. */
  #settle (): void {
    if (!this.#document.history.isEmpty) return
    const now = performance.now()
    const followers = [...this.#followers.values()]
    if (followers.some(follower => follower.isBringing(now))) return
    for (const follower of followers) {
      if (follower.standing !== 'waiting' || !follower.isOwed) continue
      follower.wasToldOfNone()
      this.#outboxes.of(follower).unavailable(follower)
    }
  }

  /** Has the document take the changes of a message; false when the rest of it is seen to elsewhere. */
  #addChanges (follower: Follower, { changes, heads, data }: Statement): boolean {
    if (changes.length === 0) return true
    const { history } = this.#document
    const chunks = changes.flatMap(splitChunks)
    const isWhole = chunks.some(({ type }) => type === CHUNK_TYPES.document)
    if (isWhole && chunks.length === 1 && history.isEmpty) {
      this.#bring(follower, chunks[0]!.bytes, heads)
      return false
    }
    if (follower.standing !== 'fallback' && this.#document.add(chunks, follower)) return true
    this.#document.examine(chunks, follower)
    this.#fallBack(follower, isWhole ? 'whole-document' : 'unclear-changes', data)
    return false
  }

  /** A peer brings a whole document that is not here. */
  #bring (follower: Follower, bytes: Uint8Array, heads: Hash[]): void {
    this.#create(Buffer.from(bytes)).then(() => {
      if (!this.#isHere(follower)) return
      follower.toldHeads(heads)
      this.#greet(follower, false)
    }).catch((error: unknown) => { follower.peer.refuse(refusalOf(error)) })
  }

  /** What a message says, once its changes are taken. */
  #heed (follower: Follower, { heads, isRequest, needsChanges, hasFlags, data }: Statement): void {
    const { history } = this.#document
    const startsAnew = heads.length === 0 && (isRequest || follower.heads.length > 0)
    if (history.hasHeads(heads)) follower.toldHeads(heads, history.version)
    // a read-only peer has what it was sent, and perhaps changes of its own
    else follower.toldHeads(heads, follower.isReadOnly ? follower.sent : undefined)
    if (follower.standing === 'fallback') this.#fallback.receive(follower, data)
    else if (needsChanges) this.#fallBack(follower, 'need', data)
    else if (hasFlags || (follower.asksAgain && !history.isEmpty)) this.#fallBack(follower, 'flags', data)
    else if (follower.standing === 'steady' && !startsAnew) {
      const isKnown = follower.isReadOnly || heads.every(hash => history.knows(hash))
      if (!isKnown) this.#fallBack(follower, 'unknown-heads', data)
    } else if (follower.standing !== 'joining') this.#greet(follower, isRequest, data)
  }

  /** Answers a peer of which nothing is known but its heads. @param data its message, for the fallback */
  #greet (follower: Follower, isRequest: boolean, data?: Uint8Array): void {
    const { history } = this.#document
    const { heads } = follower
    const state = this.#visible(follower)
    if (history.isEmpty && heads.length > 0 && !follower.isReadOnly) {
      follower.wasAsked()
      this.#outboxes.of(follower).ask(follower)
    } else if (state.heads.length === 0 && (heads.length === 0 || follower.isReadOnly)) {
      const isTold = follower.standing === 'waiting' && heads.length > 0 // it would answer each time
      follower.waits(isRequest)
      if (!isRequest && !isTold) this.#outboxes.of(follower).heads(follower, [])
      this.#settle()
    } else if (!heads.every(hash => history.knows(hash))) {
      this.#fallBack(follower, 'unknown-heads', data)
    } else {
      this.#catchUp(follower, state, data)
    }
  }

  #catchUp (follower: Follower, state: State, data?: Uint8Array): void {
    const { heads, readsDocuments } = follower
    const missing = this.#document.history.missing(heads, state.version)
    if (missing !== undefined && (missing.length <= MAX_SINGLE_CHANGES || heads.length > 0 || !readsDocuments)) {
      follower.catchesUp()
      // what it has just brought is acknowledged once it is durable
      if (follower.own <= state.version) this.#outboxes.of(follower).send(follower, state, missing)
      else follower.catchesUp(state.version)
    } else if (heads.length > 0 || !readsDocuments) {
      this.#fallBack(follower, heads.length > 0 ? 'behind' : 'old-protocol', data)
    } else {
      follower.joins()
      this.#join(follower).catch((error: unknown) => {
        if (this.#isHere(follower)) this.fail(follower, refusalOf(error))
      })
    }
  }

  /** Sends all there is. */
  async #join (follower: Follower): Promise<void> {
    const { history, durable } = this.#document
    const isAtHand = (version: number): boolean => version >= history.base
    const { version, bytes } = await this.#snapshots.get(durable.version, isAtHand, () => this.#document.whenDurable())
    if (!this.#isHere(follower) || follower.standing !== 'joining') return
    const state = this.#visible(follower)
    const entries = history.between(version, state.version)
    if (entries === undefined) {
      await this.#join(follower)
      return
    }
    follower.catchesUp()
    this.#outboxes.of(follower).sendDocument(follower, state, bytes, entries)
  }

  /** What a peer may be told: its own changes once they are durable, those of others as configured. */
  #visible (follower: Follower): State {
    const { history, durable } = this.#document
    return this.#context.forward === 'stored' || follower.own > durable.version ? durable : history
  }

  #update (follower: Follower): void {
    const state = this.#visible(follower)
    if (follower.standing === 'waiting' && state.heads.length > 0) this.#greet(follower, false)
    if (follower.standing !== 'steady' || follower.sent >= state.version) return
    if (follower.peer.isFull) this.#context.lag(this, follower.peer)
    else if (follower.sent < this.#document.history.base) this.#fallBack(follower, 'behind')
    else this.#outboxes.of(follower).update(follower, state)
  }

  /** @param data the message that led to it; without one Automerge starts */
  #fallBack (follower: Follower, cause: FallbackCause, data?: Uint8Array): void {
    if (follower.standing !== 'fallback') this.#fallback.enter(follower, cause, data)
    else if (data !== undefined) this.#fallback.receive(follower, data)
  }
}

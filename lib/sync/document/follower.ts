import type { Hash } from '../../automerge/format/hash.ts'
import type { PeerConnection } from '../peers/connection.ts'
import type { Author } from './tracked-document.ts'

/**
 * How a peer stands to a document.
 * - `new`: has said nothing yet, or nothing that could be answered
 * - `waiting`: wants a document that nobody has brought yet
 * - `asked`: has a document that is not here, and was asked for it
 * - `joining`: is about to be sent the whole document
 * - `steady`: has, or will have when it reads what was sent, every change up to `sent`
 * - `fallback`: Automerge's own sync finds out
 */
export type Standing = 'new' | 'waiting' | 'asked' | 'joining' | 'steady' | 'fallback'

const BRINGS_WITHIN = 5_000 // ms until a peer that was asked for a document should have sent it
const STUCK_AFTER = 20_000 // ms until a peer whose heads are others counts as stuck
const DEAF_AFTER = 60_000 // ms, the same while others go on editing

/** A peer of a document: how it stands to it, by what has happened. Times are ms of `performance.now()`. */
export class Follower implements Author {
  readonly peer: PeerConnection
  #standing: Standing = 'new'
  #heads: Hash[] = []
  #heardAt = 0
  /** The last version of which it has told the heads. */
  #heard = -1
  #sent = 0
  #sentAt = 0
  #own = 0
  #isOwed = false
  /** When its oldest change came in that it has not been answered, if there is one. */
  #unanswered: number | undefined
  #readsDocuments = false
  #claims = 0
  #isReadOnly = false
  #asksAgain = false
  /** When Automerge was last asked about it for want of a sign of life. */
  #checkedAt = 0

  constructor (peer: PeerConnection) {
    this.peer = peer
  }

  get standing (): Standing { return this.#standing }
  /** The heads that it last told. */
  get heads (): Hash[] { return this.#heads }
  /** The version it has been sent. */
  get sent (): number { return this.#sent }
  /** The version that its own last change made. */
  get own (): number { return this.#own }
  /** Whether it waits to be told that the document is not here. */
  get isOwed (): boolean { return this.#isOwed }
  /** Whether it reads whole documents inside a message. */
  get readsDocuments (): boolean { return this.#readsDocuments }
  /** How many changes it says that it has and does not know the relay to have. */
  get claims (): number { return this.#claims }
  /** Its changes are not accepted. */
  get isReadOnly (): boolean { return this.#isReadOnly }
  /** Its changes are accepted again: it is to be asked for those that were not. */
  get asksAgain (): boolean { return this.#asksAgain }

  /** It wants a document that is not here. @param isOwed whether it is still to be told that there is none */
  waits (isOwed: boolean): void {
    this.#standing = 'waiting'
    this.#isOwed = isOwed
  }

  /** It was told that there is no such document. */
  wasToldOfNone (): void { this.#isOwed = false }

  /** It has the document, which is not here, and is asked for it. */
  wasAsked (): void { this.#standing = 'asked' }

  /** It has nothing of the document, which is being read for it. */
  joins (): void { this.#standing = 'joining' }

  /** It has all up to a version, or is about to be sent it. */
  catchesUp (version = this.#sent): void {
    this.#standing = 'steady'
    this.#sent = version
  }

  /** Only Automerge can tell what it needs. */
  fallsBack (): void { this.#standing = 'fallback' }

  /** It could not be answered: what it says next counts as its first word. */
  couldNotBeAnswered (): void { this.#standing = 'new' }

  /** What it may do is known, perhaps anew. */
  wasGranted (toChange: boolean): void {
    this.#asksAgain ||= this.#isReadOnly && toChange
    this.#isReadOnly = !toChange
  }

  /** A message came from it. */
  said (claims: number, readsDocuments: boolean, now: number): void {
    this.#heardAt = now
    this.#readsDocuments = readsDocuments
    this.#claims = claims
  }

  /** It has told its heads. @param version which they show it to have, if they do */
  toldHeads (heads: Hash[], version = this.#heard): void {
    this.#heads = heads
    this.#heard = version
  }

  brought (version: number, now: number): void {
    this.#own = version
    this.#unanswered ??= now
  }

  /** It was sent all up to a version. */
  wasSent (version: number, now: number): void {
    this.#sent = version
    this.#sentAt = now
  }

  /** It has been answered what it brought. Returns when that came in, if it waited for an answer. */
  wasAnswered (): number | undefined {
    const since = this.#unanswered
    this.#unanswered = undefined
    return since
  }

  /** It is asked for the changes that were not accepted, if it is to be: then true. */
  wasAskedAgain (): boolean {
    const asked = this.#asksAgain
    this.#asksAgain = false
    return asked
  }

  /** Automerge was asked about it, as it gave no sign of life. */
  wasChecked (now: number): void { this.#checkedAt = now }

  /** Whether it is about to send a document that it was asked for. */
  isBringing (now: number): boolean { return this.#standing === 'asked' && now - this.#heardAt < BRINGS_WITHIN }

  /**
   * Whether it should have told the document's heads by now.
   * @param version of the document, which last changed at `changedAt`
   */
  isSilent (now: number, version: number, changedAt: number): boolean {
    if (this.#standing !== 'steady' || this.#heard === version || this.#sent === 0) return false
    if (this.peer.backlog > 0) return false
    const isStuck = now - Math.max(changedAt, this.#sentAt, this.#checkedAt) > STUCK_AFTER
    const isDeaf = this.#heardAt < this.#sentAt && now - Math.max(this.#heardAt, this.#checkedAt) > DEAF_AFTER
    return isStuck || isDeaf
  }
}

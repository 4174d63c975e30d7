import type { Hash } from '../../automerge/format/hash.ts'
import type { PeerConnection } from '../peers/connection.ts'

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

const STUCK_AFTER = 20_000 // ms until a peer whose heads are others is taken as stuck
const DEAF_AFTER = 60_000 // ms, the same while others go on editing

/** A peer of a document. Times are ms of `performance.now()`. */
export class Follower {
  readonly peer: PeerConnection
  standing: Standing = 'new'
  /** The heads it has last told, and when. */
  heads: Hash[] = []
  heardAt = 0
  /** The last version of which it has told the heads. */
  heard = -1
  /** The version it has been sent, and when. */
  sent = 0
  sentAt = 0
  /** The version that its own last change made. */
  own = 0
  /** Whether it waits to be told that the document is not here. */
  isOwed = false
  /** When its oldest change came in that it has not been answered, if there is one. */
  unanswered: number | undefined
  /** Whether it reads version 2 of the sync message, with whole documents inside. */
  readsDocuments = false
  /** How many changes it says that it has and does not know the relay to have. */
  claims = 0
  /** Its changes are not taken. */
  isReadOnly = false
  /** Its changes are taken again: it is to be asked for those that were not. */
  asksAgain = false
  /** When Automerge was last asked about it for want of a sign of life. */
  checkedAt = 0

  constructor (peer: PeerConnection) {
    this.peer = peer
  }

  /** Whether it should have told the document's heads by now. @param version of the document, which last changed at `changedAt` */
  isSilent (now: number, version: number, changedAt: number): boolean {
    const { standing, heard, sent, sentAt, heardAt, checkedAt, peer } = this
    if (standing !== 'steady' || heard === version || sent === 0 || peer.backlog > 0) return false
    const isStuck = now - Math.max(changedAt, sentAt, checkedAt) > STUCK_AFTER
    const isDeaf = heardAt < sentAt && now - Math.max(heardAt, checkedAt) > DEAF_AFTER
    return isStuck || isDeaf
  }
}

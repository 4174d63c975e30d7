import type { PeerConnection } from './connection.ts'
import type { Followers } from './followers.ts'
import type { EphemeralFrame } from './frame.ts'

const MAX_SESSIONS = 1_000 // remembered per connection; a connection that passes on more starts anew

/** Passes messages that are not stored (presence, cursors) to the other peers of the same document. */
export class EphemeralRelay {
  readonly #followers: Followers
  /** The last count seen of each sender's session, by the connection it came on. */
  readonly #seen = new Map<PeerConnection, Map<string, number>>()

  constructor (followers: Followers) {
    this.#followers = followers
  }

  pass (from: PeerConnection, frame: EphemeralFrame): void {
    if (!this.#isNew(from, frame)) return
    for (const peer of this.#followers.of(frame.documentId)) {
      if (peer !== from && peer.peerId !== frame.senderId) peer.send(frame)
    }
  }

  leave (peer: PeerConnection): void { this.#seen.delete(peer) }

  #isNew (from: PeerConnection, { senderId, sessionId, count }: EphemeralFrame): boolean {
    let sessions = this.#seen.get(from)
    if (sessions === undefined || sessions.size >= MAX_SESSIONS) this.#seen.set(from, sessions = new Map())
    const session = `${senderId} ${sessionId}`
    if (count <= (sessions.get(session) ?? -1)) return false
    sessions.set(session, count)
    return true
  }
}

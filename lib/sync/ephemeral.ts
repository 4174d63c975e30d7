import type { DocumentId } from '../ids.ts'
import type { PeerConnection } from './connection.ts'
import type { EphemeralFrame } from './frame.ts'

const MAX_SESSIONS = 1_000 // remembered per connection; a connection that passes on more starts anew

/** Passes messages that are not stored (presence, cursors) to the other peers of the same document. */
export class EphemeralRelay {
  readonly #peers = new Map<DocumentId, Set<PeerConnection>>()
  readonly #documents = new Map<PeerConnection, Set<DocumentId>>()
  /** The last count seen of each sender's session, by the connection it came on. */
  readonly #seen = new Map<PeerConnection, Map<string, number>>()

  /** The peer has asked for or synced the document: it hears what the others say there. */
  follow (peer: PeerConnection, id: DocumentId): void {
    add(this.#peers, id, peer)
    add(this.#documents, peer, id)
  }

  isFollowed (id: DocumentId): boolean { return this.#peers.has(id) }

  pass (from: PeerConnection, frame: EphemeralFrame): void {
    if (!this.#isNew(from, frame)) return
    for (const peer of this.#peers.get(frame.documentId) ?? []) {
      if (peer !== from && peer.peerId !== frame.senderId) peer.send(frame)
    }
  }

  /** Forgets a peer; returns the documents it followed. */
  leave (peer: PeerConnection): Set<DocumentId> {
    const documents = this.#documents.get(peer) ?? new Set<DocumentId>()
    for (const id of documents) {
      const peers = this.#peers.get(id)
      peers?.delete(peer)
      if (peers?.size === 0) this.#peers.delete(id)
    }
    this.#documents.delete(peer)
    this.#seen.delete(peer)
    return documents
  }

  #isNew (from: PeerConnection, { senderId, sessionId, count }: EphemeralFrame): boolean {
    let sessions = this.#seen.get(from)
    if (sessions === undefined || sessions.size >= MAX_SESSIONS) this.#seen.set(from, sessions = new Map())
    const session = `${senderId} ${sessionId}`
    if (count <= (sessions.get(session) ?? -1)) return false
    sessions.set(session, count)
    return true
  }
}

function add<Key, Value> (sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

import type { DocumentId } from '../../ids.ts'
import type { PeerConnection } from './connection.ts'

const NONE: ReadonlySet<DocumentId> = new Set()

/** Who hears of which document, also of one that nobody has brought yet. A peer costs some hundred bytes a document. */
export class Followers {
  readonly #peers = new Map<DocumentId, Set<PeerConnection>>()
  readonly #documents = new Map<PeerConnection, Set<DocumentId>>()

  /** The peer has asked for or synced the document. */
  add (peer: PeerConnection, id: DocumentId): void {
    if (this.#documents.get(peer)?.has(id) === true) return
    addTo(this.#peers, id, peer)
    addTo(this.#documents, peer, id)
  }

  of (id: DocumentId): Iterable<PeerConnection> { return this.#peers.get(id) ?? [] }

  has (id: DocumentId): boolean { return this.#peers.has(id) }

  /** What a peer follows. */
  documents (peer: PeerConnection): ReadonlySet<DocumentId> { return this.#documents.get(peer) ?? NONE }

  /** The peer has left the document. */
  remove (peer: PeerConnection, id: DocumentId): void {
    if (this.#documents.get(peer)?.delete(id) !== true) return
    const peers = this.#peers.get(id)!
    peers.delete(peer)
    if (peers.size === 0) this.#peers.delete(id)
  }

  /** Forgets a peer; returns the documents it followed. */
  leave (peer: PeerConnection): Iterable<DocumentId> {
    const documents = this.#documents.get(peer) ?? []
    this.#documents.delete(peer)
    for (const id of documents) {
      const peers = this.#peers.get(id)!
      peers.delete(peer)
      if (peers.size === 0) this.#peers.delete(id)
    }
    return documents
  }
}

function addTo<Key, Value> (sets: Map<Key, Set<Value>>, key: Key, value: Value): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

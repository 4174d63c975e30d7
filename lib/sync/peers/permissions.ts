import type { DocumentId } from '../../ids.ts'
import type { PeerConnection } from './connection.ts'
import { ALL_RIGHTS, type Rights } from './grant.ts'
import { changeDenied, refusalOf } from '../refusal.ts'

const MAX_WITHHELD = 1_000 // documents remembered of a peer

/** Asks what peers may do, and remembers what was kept from them, for when they may. */
export class Permissions {
  readonly #withheld = new Map<PeerConnection, Set<DocumentId>>()

  /** Goes on with what the peer may do with a document, in the order of calls; at once where that is known. */
  admit (peer: PeerConnection, id: DocumentId, use: (rights: Rights) => void): void {
    const rights = peer.grant === undefined ? ALL_RIGHTS : peer.grant.rights(id)
    if (!(rights instanceof Promise)) {
      use(rights)
      return
    }
    rights.then(settled => { if (peer.open) use(settled) }).catch((cause: unknown) => { peer.refuse(refusalOf(cause)) })
  }

  /** Answers as if there were no such document. @param isChange the peer brought changes */
  withhold (peer: PeerConnection, id: DocumentId, isChange: boolean): void {
    let withheld = this.#withheld.get(peer)
    if (withheld === undefined) this.#withheld.set(peer, withheld = new Set())
    if (withheld.size < MAX_WITHHELD) withheld.add(id)
    peer.send({ type: 'doc-unavailable', documentId: id })
    if (isChange) peer.deny(id, changeDenied())
  }

  /** What was kept from the peer; forgotten. */
  drainWithheld (peer: PeerConnection): Iterable<DocumentId> {
    const withheld = this.#withheld.get(peer) ?? []
    this.#withheld.delete(peer)
    return withheld
  }
}

import type { RelayError } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { PeerConnection } from './connection.ts'
import { ALL_RIGHTS, type Rights } from './grant.ts'
import { changeDenied, refusalOf } from '../refusal.ts'

const MAX_WITHHELD = 1_000 // documents remembered of a peer
const RETRY = 5_000 // ms until it is asked again what could not be found out

/** What becomes of who may or may not. */
export interface PermissionEvents {
  /** What the peer may do with the document cannot be found out at the moment: it is asked again after a while. */
  unclear (peer: PeerConnection, id: DocumentId, error: RelayError): void
  /** Of a document that was withheld it is to be asked again whether it may. */
  again (peer: PeerConnection, id: DocumentId): void
}

/** Asks what peers may do, and remembers what was kept from them, for when they may. */
export class Permissions {
  readonly #events: PermissionEvents
  readonly #withheld = new Map<PeerConnection, Set<DocumentId>>()
  /** Of what was withheld, that of which nobody knows whether it had to be. */
  readonly #unclear = new Map<PeerConnection, Set<DocumentId>>()
  #retry: NodeJS.Timeout | undefined

  constructor (events: PermissionEvents) {
    this.#events = events
  }

  /**
   * Goes on with what the peer may do with a document, in the order of calls; at once where that is known.
   * @param bytes of the message that waits for it
   * @throws RelayError RELAY_PEER_SLOW when too many wait
   */
  admit (peer: PeerConnection, id: DocumentId, use: (rights: Rights) => void, bytes = 0): void {
    const rights = peer.grant === undefined ? ALL_RIGHTS : peer.grant.rights(id)
    if (!(rights instanceof Promise)) {
      use(rights)
      return
    }
    const release = bytes > 0 ? peer.hold(bytes) : () => {}
    rights.finally(release).then(
      settled => { if (peer.open) use(settled) },
      (cause: unknown) => { if (peer.open) this.#couldNotAsk(peer, id, refusalOf(cause)) }
    ).catch((cause: unknown) => { peer.refuse(refusalOf(cause)) }) // of what it has sent
  }

  /** Answers as if there were no such document. @param isChange the peer brought changes */
  withhold (peer: PeerConnection, id: DocumentId, isChange: boolean): void {
    this.remember(peer, id)
    peer.send({ type: 'doc-unavailable', documentId: id })
    if (isChange) peer.deny(id, changeDenied())
  }

  /** Has the document asked about again, when the peer's rights may be others. */
  remember (peer: PeerConnection, id: DocumentId): void { addTo(this.#withheld, peer, id) }

  /** What was kept from the peer; forgotten. */
  drainWithheld (peer: PeerConnection): Iterable<DocumentId> {
    const withheld = this.#withheld.get(peer) ?? []
    this.#withheld.delete(peer)
    this.#unclear.delete(peer)
    return withheld
  }

  close (): void { clearTimeout(this.#retry) }

  #couldNotAsk (peer: PeerConnection, id: DocumentId, error: RelayError): void {
    addTo(this.#unclear, peer, id)
    this.#events.unclear(peer, id, error)
    this.#retry ??= setTimeout(() => { this.#askAgain() }, RETRY).unref()
  }

  #askAgain (): void {
    this.#retry = undefined
    const unclear = [...this.#unclear]
    this.#unclear.clear()
    for (const [peer, ids] of unclear) {
      for (const id of ids) {
        this.#withheld.get(peer)?.delete(id)
        this.#events.again(peer, id)
      }
    }
  }
}

function addTo (documents: Map<PeerConnection, Set<DocumentId>>, peer: PeerConnection, id: DocumentId): void {
  let known = documents.get(peer)
  if (known === undefined) documents.set(peer, known = new Set())
  if (known.size < MAX_WITHHELD) known.add(id)
}

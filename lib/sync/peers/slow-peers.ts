import { RelayError } from '../../errors.ts'
import type { PeerConnection } from './connection.ts'
import type { LiveDocument } from '../document/live-document.ts'

const INTERVAL = 50 // ms
const DRAINED = 64 * 1024 // bytes left unread at which it goes on
const PATIENCE = 60_000 // ms without anything read

interface Laggard { documents: Set<LiveDocument>, backlog: number, since: number }

/**
 * Peers that have left too much unread: they are sent no changes until they have read it, and then all at once. What
 * that costs is what had been sent before. Who reads nothing at all for a minute is closed.
 */
export class Laggards {
  readonly #peers = new Map<PeerConnection, Laggard>()
  #timer: NodeJS.Timeout | undefined

  add (peer: PeerConnection, document: LiveDocument): void {
    const laggard = this.#peers.get(peer)
    if (laggard !== undefined) laggard.documents.add(document)
    else this.#peers.set(peer, { documents: new Set([document]), backlog: peer.backlog, since: performance.now() })
    this.#timer ??= setInterval(() => { this.#look() }, INTERVAL)
  }

  delete (peer: PeerConnection): void {
    this.#peers.delete(peer)
    if (this.#peers.size === 0) this.close()
  }

  close (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look (): void {
    const now = performance.now()
    for (const [peer, laggard] of this.#peers) {
      const { backlog } = peer
      if (backlog <= DRAINED) {
        this.delete(peer)
        for (const document of laggard.documents) document.audience.resume(peer)
      } else if (backlog < laggard.backlog) {
        laggard.backlog = backlog
        laggard.since = now
      } else if (now - laggard.since > PATIENCE) {
        peer.refuse(new RelayError('RELAY_PEER_SLOW', `nothing read for ${PATIENCE / 1000} s`))
      }
    }
  }
}

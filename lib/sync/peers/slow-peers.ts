import { RelayError } from '../../errors.ts'
import type { PeerConnection } from './connection.ts'
import type { Resumable } from '../context.ts'

const CHECK_INTERVAL = 50 // ms
const DRAINED_BYTES = 64 * 1024 // bytes left unread at which it goes on
const CLOSED_AFTER = 60_000 // ms without anything read

interface SlowPeer { audiences: Set<Resumable>, backlog: number, since: number }

/**
 * Peers that have left too much unread: they are sent no changes until they have read it, and then all at once. What
 * that costs is what had been sent before. Who reads nothing at all for a minute is closed.
 */
export class SlowPeers {
  readonly #peers = new Map<PeerConnection, SlowPeer>()
  #timer: NodeJS.Timeout | undefined

  add (peer: PeerConnection, audience: Resumable): void {
    const slow = this.#peers.get(peer)
    if (slow !== undefined) slow.audiences.add(audience)
    else this.#peers.set(peer, { audiences: new Set([audience]), backlog: peer.backlog, since: performance.now() })
    this.#timer ??= setInterval(() => { this.#look() }, CHECK_INTERVAL)
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
    for (const [peer, slow] of this.#peers) {
      const { backlog } = peer
      if (backlog <= DRAINED_BYTES) {
        this.delete(peer)
        for (const audience of slow.audiences) audience.resume(peer)
      } else if (backlog < slow.backlog) {
        slow.backlog = backlog
        slow.since = now
      } else if (now - slow.since > CLOSED_AFTER) {
        peer.refuse(new RelayError('RELAY_PEER_SLOW', `nothing read for ${CLOSED_AFTER / 1000} s`))
      }
    }
  }
}

import type { PeerConnection } from './connection.ts'
import type { Followers } from './followers.ts'
import { encodeFrameHead, type EphemeralFrame } from '../../wire/frame.ts'
import type { Quotas } from './quotas.ts'

const MAX_SESSIONS = 1_000 // remembered per connection, and of all who are not connected here; the oldest is forgotten
const GATHER_FROM = 64 // receivers from which on messages are gathered for a while
const GATHER_FOR = 20 // ms

/** What is on its way to a peer: all of it, or the newest of each session when the peer leaves too much unread. */
interface Queue { heads: Uint8Array[], newest: Map<string, Uint8Array> | undefined }

/**
 * Passes messages that are not stored (presence, cursors) to the other peers of the same document. What comes in
 * together goes out in one write to each; with many receivers, what comes within some milliseconds.
 */
export class EphemeralRelay {
  readonly #followers: Followers
  readonly #quotas: Quotas
  /** The last count seen of each session of a connection's own. */
  readonly #seen = new Map<PeerConnection, Map<string, number>>()
  /** The same of senders who are not connected here, whose messages others pass on. */
  readonly #strangers = new Map<string, number>()
  /** Connections by the id their peer chose. */
  readonly #peers = new Map<string, number>()
  readonly #queues = new Map<PeerConnection, Queue>()
  #timer: NodeJS.Timeout | undefined
  #isDue = false

  constructor (followers: Followers, quotas: Quotas) {
    this.#followers = followers
    this.#quotas = quotas
  }

  join (peer: PeerConnection): void {
    this.#peers.set(peer.peerId, (this.#peers.get(peer.peerId) ?? 0) + 1)
  }

  pass (from: PeerConnection, frame: EphemeralFrame): void {
    const session = `${frame.senderId} ${frame.sessionId}`
    if (!this.#isNew(from, frame, session) || !this.#quotas.passes(from, frame.data.length)) return
    const head = encodeFrameHead(frame)
    let receivers = 0
    for (const peer of this.#followers.of(frame.documentId)) {
      if (peer === from || peer.peerId === frame.senderId) continue
      this.#queue(peer, `${frame.documentId} ${session}`, head)
      receivers++
    }
    if (receivers > 0) this.#schedule(receivers)
  }

  leave (peer: PeerConnection): void {
    const left = (this.#peers.get(peer.peerId) ?? 0) - 1
    if (left > 0) this.#peers.set(peer.peerId, left)
    else this.#peers.delete(peer.peerId)
    this.#seen.delete(peer)
    this.#queues.delete(peer)
  }

  close (): void {
    clearTimeout(this.#timer)
    this.#queues.clear()
  }

  #queue (peer: PeerConnection, session: string, head: Uint8Array): void {
    let queue = this.#queues.get(peer)
    if (queue === undefined) this.#queues.set(peer, queue = { heads: [], newest: undefined })
    if (queue.newest !== undefined) keep(queue.newest, session, head)
    else if (peer.isFull) queue.newest = new Map([[session, head]])
    else queue.heads.push(head)
  }

  #schedule (receivers: number): void {
    if (receivers >= GATHER_FROM) this.#timer ??= setTimeout(() => { this.#send() }, GATHER_FOR)
    else if (!this.#isDue) {
      this.#isDue = true
      setImmediate(() => { this.#send() })
    }
  }

  #send (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isDue = false
    for (const [peer, { heads, newest }] of this.#queues) {
      if (newest !== undefined && peer.isFull) continue
      this.#queues.delete(peer)
      peer.sendHeads('ephemeral', newest === undefined ? heads : [...heads, ...newest.values()])
    }
    if (this.#queues.size > 0) this.#timer ??= setTimeout(() => { this.#send() }, GATHER_FOR)
  }

  /**
   * Stock clients hand on what they hear, also back to where they heard it. Who is connected here speaks for itself
   * only and nobody else speaks for it.
   */
  #isNew (from: PeerConnection, { senderId, count }: EphemeralFrame, session: string): boolean {
    if (senderId !== from.peerId && this.#peers.has(senderId)) return false
    let counts = this.#strangers
    if (senderId === from.peerId) {
      counts = this.#seen.get(from) ?? new Map<string, number>()
      this.#seen.set(from, counts)
    }
    if (count <= (counts.get(session) ?? -1)) return false
    keep(counts, session, count)
    return true
  }
}

/** Sets the newest of some, and forgets the oldest beyond as many as are kept. */
function keep<Value> (values: Map<string, Value>, session: string, value: Value): void {
  values.delete(session)
  values.set(session, value)
  if (values.size > MAX_SESSIONS) values.delete(values.keys().next().value!)
}

import { FULL, type PeerConnection } from './connection.ts'
import type { Followers } from './followers.ts'
import { encodeFrameHead, type EphemeralFrame } from './frame.ts'

const MAX_SESSIONS = 1_000 // remembered per connection; a connection that passes on more starts anew
const CROWD = 64 // receivers from which on messages are gathered for a while
const GATHER = 20 // ms

/** What is on its way to a peer: all of it, or the newest of each session when the peer leaves too much unread. */
interface Queue { heads: Uint8Array[], newest: Map<string, Uint8Array> | undefined }

/**
 * Passes messages that are not stored (presence, cursors) to the other peers of the same document. What comes in
 * together goes out in one write to each; with many receivers, what comes within some milliseconds.
 */
export class EphemeralRelay {
  readonly #followers: Followers
  /** The last count seen of each sender's session, by the connection it came on. */
  readonly #seen = new Map<PeerConnection, Map<string, number>>()
  readonly #queues = new Map<PeerConnection, Queue>()
  #timer: NodeJS.Timeout | undefined
  #isDue = false

  constructor (followers: Followers) {
    this.#followers = followers
  }

  pass (from: PeerConnection, frame: EphemeralFrame): void {
    const session = `${frame.senderId} ${frame.sessionId}`
    if (!this.#isNew(from, session, frame.count)) return
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
    else if (peer.backlog > FULL) queue.newest = new Map([[session, head]])
    else queue.heads.push(head)
  }

  #schedule (receivers: number): void {
    if (receivers >= CROWD) this.#timer ??= setTimeout(() => { this.#send() }, GATHER)
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
      if (newest !== undefined && peer.backlog > FULL) continue
      this.#queues.delete(peer)
      peer.sendHeads('ephemeral', newest === undefined ? heads : [...heads, ...newest.values()])
    }
    if (this.#queues.size > 0) this.#timer ??= setTimeout(() => { this.#send() }, GATHER)
  }

  #isNew (from: PeerConnection, session: string, count: number): boolean {
    let sessions = this.#seen.get(from)
    if (sessions === undefined || sessions.size >= MAX_SESSIONS) this.#seen.set(from, sessions = new Map())
    if (count <= (sessions.get(session) ?? -1)) return false
    sessions.set(session, count)
    return true
  }
}

function keep (newest: Map<string, Uint8Array>, session: string, head: Uint8Array): void {
  newest.delete(session)
  newest.set(session, head)
  if (newest.size > MAX_SESSIONS) newest.delete(newest.keys().next().value!)
}

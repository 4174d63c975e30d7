import { Buffer } from 'node:buffer'
import type { Hash } from '../../automerge/format/hash.ts'
import { MAX_UNREAD } from '../peers/connection.ts'
import type { DocumentContext } from '../context.ts'
import type { Follower } from './follower.ts'
import { encodeFrameHead } from '../../wire/frame.ts'
import type { LogEntry } from './history.ts'
import type { State, TrackedDocument } from './tracked-document.ts'
import { FLAGS, encodeSyncMessage, type SyncMessage } from '../../wire/sync-message.ts'

const NOTHING = new Uint8Array()
/** Changes up to which a document is asked for change by change, which takes no Automerge here. */
const MAX_ASKED_SINGLY = 1_000

/** The changes after one version, and the frame with all of them once it is made: the same for all who have brought none. */
interface Update { entries: LogEntry[], writers: Set<object | undefined>, head?: Uint8Array, headForReaders?: Uint8Array }

/** Makes and sends the messages about a document. What many are sent is encoded once. */
export class Outbox {
  readonly #document: TrackedDocument
  readonly #context: DocumentContext
  /** By the state they lead to and the version they start from. */
  readonly #updates = new Map<State, Map<number, Update>>()

  constructor (document: TrackedDocument, context: DocumentContext) {
    this.#document = document
    this.#context = context
  }

  isFull ({ peer }: Follower): boolean { return peer.backlog > MAX_UNREAD }

  /** Forgets what was encoded; to be called before the document changes. */
  clear (): void { this.#updates.clear() }

  /** Sends what a steady peer does not have of a state. */
  update (follower: Follower, state: State): void {
    const update = this.#updateFrom(follower.sent, state)
    if (update.writers.has(follower.peer)) {
      this.send(follower, state, update.entries.filter(({ from }) => from !== follower.peer))
    } else {
      const head = follower.isReadOnly ? update.headForReaders : update.head
      this.#sent(follower, state, head ?? this.#headOf(update, state, follower.isReadOnly))
    }
  }

  /** Sends changes, after which the peer has all of a state; also none, which acknowledges its own. */
  send (follower: Follower, state: State, entries: LogEntry[]): void {
    this.#sent(follower, state, this.#head(stateMessage(state.heads, entries, follower.isReadOnly)))
  }

  /** Sends a state to who has nothing: stored chunks and the changes after them. */
  sendDocument (follower: Follower, state: State, chunks: Uint8Array, entries: LogEntry[]): void {
    const all = entries.length === 0 ? chunks : Buffer.concat([chunks, ...entries.map(({ bytes }) => bytes)])
    this.#sent(follower, state, this.#head({ ...stateMessage(state.heads, [], follower.isReadOnly), version: 2, changes: [all] }))
  }

  /** Asks for a document of which there is nothing here. */
  ask (follower: Follower): void {
    const { peer, heads, claims } = follower
    // who is told no flags sends changes, not a whole document
    const flags = follower.wasAskedAgain() ? FLAGS.supportsSyncReset | FLAGS.syncReset : claims <= MAX_ASKED_SINGLY ? undefined : FLAGS.supportsSyncReset
    peer.sendHeads('sync', [this.#head({ version: 1, heads: [], need: heads, have: [{ lastSync: [], bloom: NOTHING }], changes: [], flags })])
  }

  /** Tells who asked for the document that it is not here. */
  unavailable ({ peer }: Follower): void {
    peer.send({ type: 'doc-unavailable', documentId: this.#document.id })
  }

  /** Tells the heads, without saying that the peer has all of that. @param flags more of them */
  state (follower: Follower, heads: Hash[], flags = 0): void {
    const message = stateMessage(heads, [], follower.isReadOnly)
    const have = [{ lastSync: [], bloom: NOTHING }]
    // who is told no flags brings what it makes as changes, not as a whole document
    const isPlain = heads.length === 0 && flags === 0 && !follower.isReadOnly
    follower.peer.sendHeads('sync', [this.#head({ ...message, have, flags: isPlain ? undefined : message.flags! | flags })])
  }

  /** Sends a message that Automerge made. */
  reply (follower: Follower, data: Uint8Array): void {
    if (!this.#fits(follower, data.length)) return
    follower.peer.send({ type: 'sync', documentId: this.#document.id, data })
    this.#answered(follower)
  }

  #updateFrom (version: number, state: State): Update {
    let updates = this.#updates.get(state)
    if (updates === undefined) this.#updates.set(state, updates = new Map())
    let update = updates.get(version)
    if (update === undefined) {
      const entries = this.#document.history.between(version, state.version)!
      updates.set(version, update = { entries, writers: new Set(entries.map(({ from }) => from)) })
    }
    return update
  }

  #headOf (update: Update, { heads }: State, isReadOnly: boolean): Uint8Array {
    const head = this.#head(stateMessage(heads, update.entries, isReadOnly))
    if (isReadOnly) update.headForReaders = head
    else update.head = head
    return head
  }

  #head (message: SyncMessage): Uint8Array {
    return encodeFrameHead({ type: 'sync', senderId: this.#context.selfId, documentId: this.#document.id, data: encodeSyncMessage(message) })
  }

  /** Whether the peer takes so large a message; else it is told, and nothing more until it asks anew. */
  #fits (follower: Follower, bytes: number): boolean {
    if (follower.peer.hasRoomFor(bytes)) return true
    follower.couldNotBeAnswered()
    this.#context.withhold(this.#document.id, follower.peer, bytes)
    return false
  }

  #sent (follower: Follower, { version }: State, head: Uint8Array): void {
    if (!this.#fits(follower, head.length)) return
    follower.wasSent(version, performance.now())
    follower.peer.sendHeads('sync', [head])
    if (version >= follower.own) this.#answered(follower)
  }

  #answered (follower: Follower): void {
    const since = follower.wasAnswered()
    if (since !== undefined) this.#context.meter.syncLatency((performance.now() - since) / 1000)
  }
}

/** What a peer is told in the steady state: we are at these heads, you have what is before these changes. */
const stateMessage = (heads: Hash[], entries: LogEntry[], isReadOnly: boolean): SyncMessage => ({
  version: 1,
  heads,
  need: [],
  have: [{ lastSync: heads, bloom: NOTHING }],
  changes: entries.map(({ bytes }) => bytes),
  flags: isReadOnly ? FLAGS.supportsSyncReset | FLAGS.readOnly : FLAGS.supportsSyncReset
})

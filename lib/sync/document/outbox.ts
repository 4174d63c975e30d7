import { Buffer } from 'node:buffer'
import type { Hash } from '../../automerge/format/hash.ts'
import type { DocumentContext } from '../context.ts'
import type { SyncProtocol } from '../protocol/sync-protocol.ts'
import type { Follower } from './follower.ts'
import type { LogEntry } from './history.ts'
import type { State, TrackedDocument } from './tracked-document.ts'

/** Changes up to which a document is asked for change by change, which takes no Automerge here. */
const MAX_ASKED_SINGLY = 1_000

/** The changes after one version, and the frame with all of them once it is made: for all who have brought none. */
interface Update {
  entries: LogEntry[]
  writers: Set<object | undefined>
  head?: Uint8Array
  headForReaders?: Uint8Array
}

/** The outboxes of a document: one for each protocol that its peers speak. */
export class Outboxes {
  readonly #document: TrackedDocument
  readonly #context: DocumentContext
  readonly #outboxes = new Map<SyncProtocol, Outbox>()

  constructor (document: TrackedDocument, context: DocumentContext) {
    this.#document = document
    this.#context = context
  }

  of ({ peer: { protocol } }: Follower): Outbox {
    let outbox = this.#outboxes.get(protocol)
    if (outbox === undefined) this.#outboxes.set(protocol, outbox = new Outbox(this.#document, this.#context, protocol))
    return outbox
  }

  /** Forgets what was encoded; to be called before the document changes. */
  clear (): void { for (const outbox of this.#outboxes.values()) outbox.clear() }
}

/** Sends messages about a document to peers of one protocol. What many are sent is encoded once. */
export class Outbox {
  readonly #document: TrackedDocument
  readonly #context: DocumentContext
  readonly #protocol: SyncProtocol
  /** By the state they lead to and the version they start from. */
  readonly #updates = new Map<State, Map<number, Update>>()

  constructor (document: TrackedDocument, context: DocumentContext, protocol: SyncProtocol) {
    this.#document = document
    this.#context = context
    this.#protocol = protocol
  }

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
    this.#sent(follower, state, this.#head(state, entries, follower.isReadOnly))
  }

  /** Sends a state to who has nothing: stored chunks and the changes after them. */
  sendDocument (follower: Follower, state: State, chunks: Uint8Array, entries: LogEntry[]): void {
    const all = entries.length === 0 ? chunks : Buffer.concat([chunks, ...entries.map(({ bytes }) => bytes)])
    this.#sent(follower, state, this.#protocol.document(this.#document.id, state.heads, all, follower.isReadOnly))
  }

  /** Asks for a document of which there is nothing here. */
  ask (follower: Follower): void {
    const { peer, heads, claims } = follower
    const form = follower.wasAskedAgain() ? 'again' : claims <= MAX_ASKED_SINGLY ? 'changes' : 'whole'
    peer.sendHeads('sync', [this.#protocol.request(this.#document.id, heads, form)])
  }

  /** Tells who asked for the document that it is not here. */
  unavailable ({ peer }: Follower): void {
    peer.send({ type: 'doc-unavailable', documentId: this.#document.id })
  }

  /** Tells the heads, without saying that the peer has all of that. */
  heads ({ peer, isReadOnly }: Follower, heads: Hash[]): void {
    peer.sendHeads('sync', [this.#protocol.heads(this.#document.id, heads, isReadOnly)])
  }

  /** Tells the heads, and has the peer say again what it has. */
  invite ({ peer, isReadOnly }: Follower, heads: Hash[]): void {
    peer.sendHeads('sync', [this.#protocol.invitation(this.#document.id, heads, isReadOnly)])
  }

  /** Sends a message that Automerge made. */
  reply (follower: Follower, data: Uint8Array): void {
    const head = this.#protocol.message(this.#document.id, data)
    if (!this.#fits(follower, head.length)) return
    follower.peer.sendHeads('sync', [head])
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

  #headOf (update: Update, state: State, isReadOnly: boolean): Uint8Array {
    const head = this.#head(state, update.entries, isReadOnly)
    if (isReadOnly) update.headForReaders = head
    else update.head = head
    return head
  }

  #head ({ heads }: State, entries: LogEntry[], isReadOnly: boolean): Uint8Array {
    return this.#protocol.changes(this.#document.id, heads, entries.map(({ bytes }) => bytes), isReadOnly)
  }

  /** Whether the peer reads so large a message; else it is told, and nothing more until it asks anew. */
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

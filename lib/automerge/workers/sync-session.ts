import { RelayError, codeOf, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { Hash } from '../format/hash.ts'
import type { SyncMode } from './sync-document.ts'
import type { Task } from './sync-thread.ts'
import type { SyncAnswer, SyncJob } from './sync-worker.ts'

export interface SessionAnswer {
  /**
   * Change chunks the document did not have, each after those it depends on, and not compressed: views of one buffer
   * that is the caller's. Changes that wait for what they depend on are not among them until they are applied.
   */
  changes: Uint8Array[]
  /** The document's, after it. */
  heads: Hash[]
  /** What the peer said last that its heads are; null when it has said nothing yet. */
  theirHeads: Hash[] | null
  /** The sync message to send to the peer once `changes` are durable; null when there is nothing to say. */
  reply: Uint8Array | null
  /** The peer has said that it has exactly `heads`, needs nothing and takes changes. */
  inSync: boolean
  /** How many calls of `update` came before: which state `heads` and `inSync` are about. */
  updates: number
  /** Changes of this peer wait for changes they depend on. */
  held: boolean
}

/** What a session needs of its surroundings. */
export interface Surroundings {
  session: number
  maxHeld: number
  /** All of the document's chunks. */
  load (): Promise<Uint8Array[]>
  /** The states of sync were lost. */
  lost (): void
  post (session: SyncSession, task: Task): void
  closed (session: SyncSession): void
  failed (reason: RelayError): void
}

interface Call { job: SyncJob, settle?: { resolve (answer: SyncAnswer): void, reject (error: RelayError): void } }

/** One document in the thread, and its peers. Calls are done in their order. */
export class SyncSession {
  readonly id: DocumentId
  readonly #around: Surroundings
  /** What is not done yet, in order; it is posted once the document is open. */
  readonly #calls = new Set<Call>()
  /** Peers whose changes wait in the thread for what they depend on. */
  readonly #held = new Set<string>()
  /** Rises with each opening. */
  #opening = 0
  #open = false
  #updates = 0
  #failure: RelayError | undefined

  constructor (id: DocumentId, around: Surroundings) {
    this.id = id
    this.#around = around
    this.#load()
  }

  /**
   * Applies a sync message of a peer and answers it. Rejects with RELAY_SYNC_INVALID when it cannot be applied: the
   * document and its other peers go on as if it had not come.
   * @param mode how to take what the peer brings, if not as ever
   * @param message one that `decodeSyncMessage` takes, its changes such that `readChange` takes them; not to be
   *   written to
   */
  receive (peer: string, message: Uint8Array, mode?: SyncMode): Promise<SessionAnswer> {
    return this.#ask({ name: 'receive', session: this.#around.session, peer, message, mode })
  }

  /** The next message for a peer, who may be new. */
  generate (peer: string, mode?: SyncMode): Promise<SessionAnswer> {
    return this.#ask({ name: 'generate', session: this.#around.session, peer, mode })
  }

  /** Changes the document has got elsewhere; must be in what `load` gives from now on. */
  update (chunks: Uint8Array[]): void {
    this.#updates++
    this.#call({ job: { name: 'update', session: this.#around.session, chunks } })
  }

  /** Forgets a peer's state of sync. */
  leave (peer: string): void {
    this.#held.delete(peer)
    this.#call({ job: { name: 'leave', session: this.#around.session, peer } })
  }

  /** Lets the document go; what has not been answered is rejected with RELAY_CLOSING. */
  close (): void {
    this.#close(new RelayError('RELAY_CLOSING', 'the sync session is closed'))
  }

  /** Ends it with an error that all its calls reject with. */
  fail (reason: RelayError): void {
    if (this.#failure !== undefined) return
    this.#around.failed(reason)
    this.#close(reason)
  }

  /** Opens the document in another thread and does there what is not done. @param culprit what the last one ended of */
  reopen (culprit: SyncJob | undefined, problem: string): void {
    if (!this.#open) return // it was not there yet
    this.#open = false
    if (culprit?.session === this.#around.session && (culprit.name === 'open' || culprit.name === 'update')) {
      this.#failToOpen(problem)
      return
    }
    for (const call of this.#calls) if (call.job === culprit) this.#refuse(call, problem)
    this.#load()
    this.#around.lost()
  }

  async #ask (job: SyncJob & { peer: string }): Promise<SessionAnswer> {
    const updates = this.#updates
    const { joined, lengths, forgot, ...answer } = await new Promise<SyncAnswer>((resolve, reject) => {
      this.#call({ job, settle: { resolve, reject } })
    })
    let at = 0
    const changes = lengths.map(length => {
      at += length
      return joined.subarray(at - length, at)
    })
    if (answer.held) this.#held.add(job.peer)
    else this.#held.delete(job.peer)
    if (forgot) setImmediate(() => { this.#around.lost() }) // once this answer has been looked at
    return { ...answer, changes, updates }
  }

  #call (call: Call): void {
    if (this.#failure !== undefined) {
      call.settle?.reject(this.#failure)
      return
    }
    this.#calls.add(call)
    if (this.#open) this.#post(call)
  }

  #load (): void {
    const opening = ++this.#opening
    const { load, session, maxHeld, post } = this.#around
    load().then(chunks => {
      if (this.#failure !== undefined || opening !== this.#opening) return
      this.#open = true
      const failed = (problem: string): void => { this.#failToOpen(problem) }
      post(this, { job: { name: 'open', session, chunks, maxHeld, again: [...this.#held] }, done: () => {}, failed })
      for (const call of this.#calls) this.#post(call)
    }).catch(error => {
      if (codeOf(error) === 'RELAY_STORAGE_FAILED') this.fail(error)
      else this.#failToOpen(messageOf(error))
    })
  }

  #post (call: Call): void {
    this.#around.post(this, {
      job: call.job,
      done: answer => {
        this.#calls.delete(call)
        if (answer !== null) call.settle?.resolve(answer)
      },
      failed: problem => {
        if (call.job.name === 'update') this.#failToOpen(problem)
        else this.#refuse(call, problem)
      }
    })
  }

  #refuse (call: Call, problem: string): void {
    this.#calls.delete(call)
    call.settle?.reject(new RelayError('RELAY_SYNC_INVALID', `the message cannot be applied: ${problem}`))
  }

  #failToOpen (problem: string): void {
    this.fail(new RelayError('RELAY_DOCUMENT_DAMAGED', `the document cannot be opened: ${problem}`))
  }

  #close (reason: RelayError): void {
    if (this.#failure !== undefined) return
    this.#failure = reason
    for (const call of this.#calls) call.settle?.reject(reason)
    this.#calls.clear()
    const { session, post, closed } = this.#around
    const wasOpen = this.#open
    this.#open = false
    if (wasOpen) post(this, { job: { name: 'close', session }, done: () => {}, failed: () => {} })
    closed(this)
  }
}

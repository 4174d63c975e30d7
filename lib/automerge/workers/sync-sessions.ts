import { RelayError, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { Log } from '../../log.ts'
import { SyncSession } from './sync-session.ts'
import { SyncThread, type Task } from './sync-thread.ts'

export type { SessionAnswer, SyncSession } from './sync-session.ts'

export interface SyncSessionsOptions {
  log: Log
  /** ms without a session after which the thread ends, and its memory is given back. */
  idleTimeout?: number
  /** Bytes of a peer's changes that are held because changes they depend on are missing. */
  maxHeld?: number
  /** ms that one call may take. */
  callTimeout?: number
  /** Bytes of a thread's memory over which no document is opened in it any more; it ends with its last session. */
  maxMemory?: number
}

/**
 * Sync with peers by Automerge itself, on one worker thread: for whoever has diverged, needs changes or speaks in a way
 * that only Automerge knows. The thread starts with the first session and ends without any. When a message ends it (a
 * dead WASM, no end of work), that call is rejected and all documents are opened again in a new one.
 */
export class SyncSessions {
  readonly #options: Required<SyncSessionsOptions>
  /** Where each session's document is; nowhere until its chunks are there. */
  readonly #sessions = new Map<SyncSession, SyncThread | undefined>()
  /** The thread in which documents are opened; others only serve those they have. */
  #thread: SyncThread | undefined
  #idle: NodeJS.Timeout | undefined
  #count = 0

  constructor (
    {
      log, idleTimeout = 5_000, maxHeld = 16 * 2 ** 20, callTimeout = 30_000, maxMemory = 256 * 2 ** 20
    }: SyncSessionsOptions
  ) {
    this.#options = { log, idleTimeout, maxHeld, callTimeout, maxMemory }
  }

  /** Sessions that are open. */
  get size (): number { return this.#sessions.size }

  /** Threads there are. */
  get threads (): number { return this.#threads().size }

  /** Calls that are not done. */
  get backlog (): number { return this.#sum(thread => thread.backlog) }

  /** Bytes of all threads' memory, as they said last. */
  get memory (): number { return this.#sum(thread => thread.memory) }

  /**
   * Opens a document; one session each. When it cannot be, all calls of the session reject with RELAY_DOCUMENT_DAMAGED,
   * or RELAY_STORAGE_FAILED when that is what `load` rejects with.
   * @param load all chunks of the document, in any order, what was answered and updated until then included; called
   *   again when the thread is lost
   * @param lost called when states of sync are lost: `generate` is to be called for every peer
   */
  open (id: DocumentId, load: () => Promise<Uint8Array[]>, lost: () => void = () => {}): SyncSession {
    const session = new SyncSession(id, {
      session: ++this.#count,
      maxHeld: this.#options.maxHeld,
      load,
      lost,
      post: (session, task) => { this.#post(session, task) },
      closed: session => { this.#closed(session) },
      failed: reason => {
        this.#options.log.error({ documentId: id, err: reason }, `document not synced: ${reason.message}`)
      }
    })
    this.#sessions.set(session, undefined)
    return session
  }

  /** Closes all sessions and ends the threads. */
  async close (): Promise<void> {
    const threads = this.#threads()
    for (const session of this.#sessions.keys()) session.close()
    clearTimeout(this.#idle)
    this.#thread = undefined
    for (const thread of threads) await thread.end()
  }

  #sum (of: (thread: SyncThread) => number): number {
    let sum = 0
    for (const thread of this.#threads()) sum += of(thread)
    return sum
  }

  #threads (): Set<SyncThread> {
    const threads = new Set([this.#thread, ...this.#sessions.values()])
    threads.delete(undefined)
    return threads as Set<SyncThread>
  }

  #post (session: SyncSession, task: Task): void {
    if (task.job.name === 'open') this.#sessions.set(session, this.#current())
    this.#sessions.get(session)!.post(task)
  }

  #current (): SyncThread {
    if (this.#thread !== undefined && this.#thread.memory > this.#options.maxMemory) {
      const large = this.#thread
      this.#thread = undefined
      this.#endUnused(large)
    }
    this.#thread ??= new SyncThread({
      jobTimeout: this.#options.callTimeout,
      ended: (thread, task, cause) => { this.#ended(thread, task, cause) }
    })
    return this.#thread
  }

  #ended (thread: SyncThread, task: Task | undefined, cause: Error): void {
    if (this.#thread === thread) this.#thread = undefined
    const problem = messageOf(cause)
    this.#options.log.error({ err: cause, job: task?.job.name }, `the sync thread ended: ${problem}`)
    for (const [session, its] of this.#sessions) {
      if (its !== thread) continue
      this.#sessions.set(session, undefined)
      if (thread.ready) session.reopen(task?.job, problem)
      else session.fail(new RelayError('RELAY_INTERNAL', 'the sync thread does not start', { cause }))
    }
  }

  #closed (session: SyncSession): void {
    const thread = this.#sessions.get(session)
    this.#sessions.delete(session)
    if (thread !== this.#thread || (thread?.memory ?? 0) > this.#options.maxMemory) this.#endUnused(thread)
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => { this.#endUnused(this.#thread) }, this.#options.idleTimeout).unref()
  }

  #endUnused (thread: SyncThread | undefined): void {
    if (thread === undefined || [...this.#sessions.values()].includes(thread)) return
    if (this.#thread === thread) this.#thread = undefined
    thread.end().catch(error => { this.#options.log.error({ err: error }, 'a sync thread does not end') })
  }
}

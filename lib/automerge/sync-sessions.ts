import { RelayError, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import { SyncSession } from './sync-session.ts'
import { SyncThread, type Task } from './sync-thread.ts'

export type { Answer, SyncSession } from './sync-session.ts'

export interface SyncSessionsOptions {
  log: Log
  /** ms without a session after which the thread ends, and its memory is given back. */
  idleTimeout?: number
  /** Bytes of a peer's changes that are held because changes they depend on are missing. */
  maxHeld?: number
  /** ms that one call may take. */
  callTimeout?: number
  /** Bytes of the thread's memory over which it ends as soon as no session is open. */
  maxMemory?: number
}

/**
 * Sync with peers by Automerge itself, on one worker thread: for whoever has diverged, needs changes or speaks in a way
 * that only Automerge knows. The thread starts with the first session and ends without any. When a message ends it (a
 * dead WASM, no end of work), that call is rejected and all documents are opened again in a new one.
 */
export class SyncSessions {
  readonly #options: Required<SyncSessionsOptions>
  readonly #sessions = new Set<SyncSession>()
  #thread: SyncThread | undefined
  #idle: NodeJS.Timeout | undefined
  #count = 0

  constructor ({ log, idleTimeout = 5_000, maxHeld = 16 * 2 ** 20, callTimeout = 30_000, maxMemory = 256 * 2 ** 20 }: SyncSessionsOptions) {
    this.#options = { log, idleTimeout, maxHeld, callTimeout, maxMemory }
  }

  /** Sessions that are open. */
  get size (): number { return this.#sessions.size }

  /** Calls that are not done. */
  get backlog (): number { return this.#thread?.backlog ?? 0 }

  /** Whether there is a thread. */
  get running (): boolean { return this.#thread !== undefined }

  /**
   * Opens a document; one session each. When it cannot be, all calls of the session reject with RELAY_DOCUMENT_INVALID.
   * @param load all chunks of the document, in any order, what was answered and updated until then included; called
   *   again when the thread is lost
   * @param lost called when states of sync are lost: `generate` is to be called for every peer
   */
  open (id: DocumentId, load: () => Promise<Uint8Array[]>, lost: () => void = () => {}): SyncSession {
    clearTimeout(this.#idle)
    const session = new SyncSession(id, {
      session: ++this.#count,
      maxHeld: this.#options.maxHeld,
      load,
      lost,
      post: task => { this.#post(task) },
      closed: session => { this.#closed(session) },
      failed: reason => { this.#options.log.error({ documentId: id, err: reason }, `document not synced: ${reason.message}`) }
    })
    this.#sessions.add(session)
    return session
  }

  /** Closes all sessions and ends the thread. */
  async close (): Promise<void> {
    for (const session of this.#sessions) session.close()
    await this.#end()
  }

  #post (task: Task): void {
    this.#thread ??= new SyncThread({
      jobTimeout: this.#options.callTimeout,
      ended: (thread, task, cause) => { this.#ended(thread, task, cause) }
    })
    this.#thread.post(task)
  }

  #ended (thread: SyncThread, task: Task | undefined, cause: Error): void {
    this.#thread = undefined
    const problem = messageOf(cause)
    this.#options.log.error({ err: cause, job: task?.job.name }, `the sync thread ended: ${problem}`)
    for (const session of this.#sessions) {
      if (thread.ready) session.reopen(task?.job, problem)
      else session.fail(new RelayError('RELAY_INTERNAL', 'the sync thread does not start', { cause }))
    }
  }

  #closed (session: SyncSession): void {
    this.#sessions.delete(session)
    if (this.#sessions.size > 0) return
    const { idleTimeout, maxMemory } = this.#options
    const end = (): void => { this.#end().catch(error => { this.#options.log.error({ err: error }, 'the sync thread does not end') }) }
    if ((this.#thread?.memory ?? 0) > maxMemory) end()
    else this.#idle = setTimeout(end, idleTimeout).unref()
  }

  async #end (): Promise<void> {
    clearTimeout(this.#idle)
    const thread = this.#thread
    this.#thread = undefined
    await thread?.end()
  }
}

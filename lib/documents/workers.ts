import { RelayError, codeOf } from '../errors.ts'
import { ThreadPool } from '../threads/thread-pool.ts'
import type { Job, Jobs, Outcome } from './worker.ts'

export interface WorkersOptions {
  /** Threads at most; they start when needed. */
  threads?: number
  /** ms that a job may take, its wait for a thread included. */
  timeout?: number
  /** Jobs that may be there at once, those that wait included. */
  jobs?: number
}

const IDLE_MS = 5_000 // ms without work after which a thread ends and gives its WASM memory back
const HEAP_MIB = 1_024 // MiB of JavaScript heap for a thread

/**
 * Threads that show and change documents. They are not those that store and check them, which must not wait for these.
 */
export class DocumentWorkers {
  readonly #threads: ThreadPool
  readonly #timeout: number
  readonly #most: number
  #jobs = 0

  constructor ({ threads = 2, timeout = 30_000, jobs = 1_000 }: WorkersOptions = {}) {
    this.#timeout = timeout
    this.#most = jobs
    this.#threads = new ThreadPool(new URL('./worker', import.meta.url), {
      threads, idleTimeout: IDLE_MS, heap: HEAP_MIB
    })
  }

  /**
   * Has a job done.
   * @throws RelayError what the job refuses, RELAY_DOCUMENT_BUSY when it takes too long or too many wait,
   *   RELAY_DOCUMENT_TOO_LARGE when it needs too much memory, RELAY_STORAGE_FAILED when the document cannot be loaded
   */
  async run<Name extends keyof Jobs> (name: Name, ...args: Parameters<Jobs[Name]>): Promise<ReturnType<Jobs[Name]>> {
    const outcome = await this.#run({ name, args } as Job)
    if ('refused' in outcome) throw new RelayError(outcome.refused.code, outcome.refused.message)
    return outcome.result as ReturnType<Jobs[Name]>
  }

  async close (): Promise<void> {
    await this.#threads.destroy()
  }

  async #run (job: Job): Promise<Outcome> {
    if (this.#jobs >= this.#most) throw new RelayError('RELAY_DOCUMENT_BUSY', 'Too many documents are being requested')
    this.#jobs++
    try {
      return await this.#threads.run(job, { signal: AbortSignal.timeout(this.#timeout) }) as Outcome
    } catch (cause) {
      if (codeOf(cause) === 'ERR_WORKER_OUT_OF_MEMORY') {
        throw new RelayError('RELAY_DOCUMENT_TOO_LARGE', 'The document is too large for this operation', { cause })
      }
      const name = cause instanceof Error ? cause.name : ''
      if (name === 'AbortError' || name === 'TimeoutError') {
        throw new RelayError('RELAY_DOCUMENT_BUSY', 'The operation takes too long', { cause })
      }
      throw new RelayError('RELAY_STORAGE_FAILED', 'a document cannot be read', { cause })
    } finally {
      this.#jobs--
    }
  }
}

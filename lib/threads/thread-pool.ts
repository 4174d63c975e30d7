import { Piscina } from 'piscina'
import { threadFile } from './thread-file.ts'

export interface ThreadPoolOptions {
  /** Threads at most; they start when needed. */
  threads: number
  /** ms without work after which a thread ends, and gives back the WASM memory that never shrinks. */
  idleTimeout: number
  /** MiB of JavaScript heap for a thread; without it, what Node gives. */
  heap?: number
}

export interface JobOptions {
  /** Ends the job, and its thread. */
  signal?: AbortSignal | undefined
  /** Buffers that are moved to the thread. */
  transferList?: ArrayBuffer[]
}

const FOREVER = 2 ** 31 - 1 // ms

/** Threads that each do one job after the other, with a process that does not end before its jobs. */
export class ThreadPool {
  readonly #threads: Piscina
  #jobs = 0
  #alive: NodeJS.Timeout | undefined
  readonly #waiting = new Set<AbortController>()

  /**
   * @param place the threads' file without its ending, whose default export does a job:
   *   `new URL('./worker', import.meta.url)`
   */
  constructor (place: URL, { threads, idleTimeout, heap }: ThreadPoolOptions) {
    const { path, options } = threadFile(place)
    this.#threads = new Piscina({
      ...options,
      filename: path,
      minThreads: 0,
      maxThreads: threads,
      concurrentTasksPerWorker: 1,
      idleTimeout,
      ...(heap === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: heap } }),
      recordTiming: false
    })
    this.#threads.on('error', cause => { this.#cannotStart(cause) })
  }

  /** Rejects with what the job throws, with an `AbortError`, or with why its thread has ended or cannot start. */
  async run (job: unknown, { signal, transferList = [] }: JobOptions = {}): Promise<unknown> {
    // a thread of Piscina's that starts does not keep the process alive
    if (this.#jobs++ === 0) this.#alive = setInterval(() => {}, FOREVER)
    const stop = new AbortController()
    this.#waiting.add(stop)
    try {
      const signals = signal === undefined ? stop.signal : AbortSignal.any([stop.signal, signal])
      return await this.#threads.run(job, { signal: signals, transferList })
    } catch (error) {
      throw stop.signal.aborted ? stop.signal.reason : error
    } finally {
      this.#waiting.delete(stop)
      if (--this.#jobs === 0) clearInterval(this.#alive)
    }
  }

  /** Resolves when what has been given is done and the threads have ended. */
  async close (): Promise<void> { await this.#threads.close() }

  /** Ends the threads; what is not done rejects. */
  async destroy (): Promise<void> { await this.#threads.destroy() }

  /** A thread has failed that had no job. Piscina starts no other for the jobs that wait, which would wait for ever. */
  #cannotStart (cause: unknown): void {
    if (this.#threads.threads.length > 0) return
    for (const waiting of this.#waiting) waiting.abort(cause)
  }
}

import type { Worker } from 'node:worker_threads'
import { RelayError } from '../../errors.ts'
import { startThread } from '../../threads/thread-file.ts'
import type { SyncAnswer, SyncJob, SyncReport } from './sync-worker.ts'

/** Something to do for the thread; of `done` and `failed` one is called, unless the thread ends before. */
export interface Task {
  job: SyncJob
  done (answer: SyncAnswer | null): void
  failed (problem: string): void
}

export interface ThreadOptions {
  /** ms a job may take. */
  jobTimeout: number
  /** The thread has ended by itself, or had to be: `task` is what it was doing, if anything. */
  ended (thread: SyncThread, task: Task | undefined, cause: Error): void
}

/** A worker thread that does one job after the other. */
export class SyncThread {
  readonly #worker: Worker
  readonly #options: ThreadOptions
  readonly #tasks: Task[] = []
  #timer: NodeJS.Timeout | undefined
  #ready = false
  #ended = false
  #memory = 0

  constructor (options: ThreadOptions) {
    this.#options = options
    this.#worker = startThread(new URL('./sync-worker', import.meta.url))
    this.#worker.on('message', (report: SyncReport) => { this.#report(report) })
    this.#worker.on('error', cause => { this.#end(cause) })
    this.#worker.on('exit', code => { this.#end(new Error(`the thread ended with code ${code}`)) })
  }

  /** Whether it has come so far that it does jobs. */
  get ready (): boolean { return this.#ready }

  /** Bytes outside the JavaScript heap after the last job. */
  get memory (): number { return this.#memory }

  /** How many jobs wait or are being done. */
  get backlog (): number { return this.#tasks.length }

  post (task: Task): void {
    this.#tasks.push(task)
    this.#worker.postMessage(task.job)
    if (this.#ready && this.#tasks.length === 1) this.#watch()
  }

  /** Ends the thread; nothing is called any more. */
  async end (): Promise<void> {
    this.#ended = true
    clearTimeout(this.#timer)
    await this.#worker.terminate()
  }

  #report (report: SyncReport): void {
    if (this.#ended) return
    if (report === 'ready') this.#ready = true
    else {
      const task = this.#tasks.shift()!
      this.#memory = report.memory
      if ('error' in report) task.failed(report.error)
      else task.done(report.answer)
    }
    if (!this.#ended) this.#watch()
  }

  /** Sees that the next job does not take for ever. */
  #watch (): void {
    clearTimeout(this.#timer)
    if (this.#tasks.length === 0) return
    const { jobTimeout } = this.#options
    this.#timer = setTimeout(() => {
      this.#end(new RelayError('RELAY_INTERNAL', `not done after ${jobTimeout} ms`))
    }, jobTimeout)
  }

  #end (cause: Error): void {
    if (this.#ended) return
    this.end().catch(() => {}) // its end is known
    this.#options.ended(this, this.#ready ? this.#tasks[0] : undefined, cause)
  }
}

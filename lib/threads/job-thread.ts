import type { Worker } from 'node:worker_threads'
import { startThread } from './thread-file.ts'

interface Waiting { resolve: (value: unknown) => void, reject: (error: Error) => void }

/** What a thread answers to a job. */
export type JobAnswer = { value: unknown } | { error: string, code?: string | undefined }

type AnyJobs = Record<string, (...args: never[]) => unknown>

/**
 * A worker thread that does one job after the other: `{ name, args }` to a `JobAnswer`. It starts with the first job,
 * and anew with the next when it has failed.
 */
export class JobThread<Jobs extends AnyJobs> {
  readonly #url: URL
  #worker: Worker | undefined
  #waiting: Waiting[] = []
  #generation = 0

  /** @param url the thread's file without its ending: `new URL('./worker', import.meta.url)` */
  constructor (url: URL) {
    this.#url = url
  }

  /** Rises with each start: what an earlier thread had in memory is gone. */
  get generation (): number { return this.#generation }

  /** Rejects with what the job throws, its message and code, or with why the thread has ended. */
  async run<Name extends keyof Jobs & string> (
    name: Name, ...args: Parameters<Jobs[Name]>
  ): Promise<Awaited<ReturnType<Jobs[Name]>>> {
    const worker = this.#worker ??= this.#start()
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ resolve: resolve as (value: unknown) => void, reject })
      worker.postMessage({ name, args })
    })
  }

  /** Has a last job done after those that wait, and ends. A thread that does not run has nothing to end. */
  async finish<Name extends keyof Jobs & string> (name: Name, ...args: Parameters<Jobs[Name]>): Promise<void> {
    if (this.#worker === undefined) return
    try {
      await this.run(name, ...args)
    } finally {
      await this.close()
    }
  }

  /** Ends it; what is not done rejects. */
  async close (): Promise<void> {
    const worker = this.#worker
    this.#end(new Error('the thread is closed'))
    await worker?.terminate()
  }

  #start (): Worker {
    this.#generation++
    const worker = startThread(this.#url)
    worker.on('message', (answer: JobAnswer) => {
      const waiting = this.#waiting.shift()
      if ('error' in answer) waiting?.reject(Object.assign(new Error(answer.error), { code: answer.code }))
      else waiting?.resolve(answer.value)
    })
    const ended = (cause: Error): void => { if (this.#worker === worker) this.#end(cause) }
    worker.on('error', ended)
    worker.on('exit', code => { ended(new Error(`the thread ended with code ${code}`)) })
    return worker
  }

  #end (cause: Error): void {
    this.#worker = undefined
    for (const { reject } of this.#waiting.splice(0)) reject(cause)
  }
}

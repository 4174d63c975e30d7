import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { Answer, Jobs } from './worker.ts'

interface Waiting { resolve: (value: unknown) => void, reject: (error: Error) => void }

/** A thread with SQLite in it. It starts with the first job, does one after the other, and is started anew when it failed. */
export class SqliteThread {
  #worker: Worker | undefined
  readonly #waiting: Waiting[] = []

  /** Rejects with SQLite's own message and code. */
  async run<Name extends keyof Jobs> (name: Name, ...args: Parameters<Jobs[Name]>): Promise<Awaited<ReturnType<Jobs[Name]>>> {
    this.#worker ??= this.#start()
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#waiting.push({ resolve, reject })
      this.#worker!.postMessage({ name, args })
    })
    return await answer as Awaited<ReturnType<Jobs[Name]>>
  }

  /** Jobs that wait or are being done. */
  get backlog (): number { return this.#waiting.length }

  /** Does what waits, and ends. */
  async close (): Promise<void> {
    if (this.#worker === undefined) return
    await this.run('close').catch(() => {}) // a thread that failed has nothing open
    await this.#worker?.terminate()
    this.#worker = undefined
  }

  #start (): Worker {
    const worker = startWorker()
    worker.on('message', (answer: Answer) => {
      const { resolve, reject } = this.#waiting.shift()!
      if ('error' in answer) reject(Object.assign(new Error(answer.error), { code: answer.code }))
      else resolve(answer.value)
    })
    const ended = (cause: Error): void => {
      if (this.#worker !== worker) return
      this.#worker = undefined
      for (const { reject } of this.#waiting.splice(0)) reject(cause)
    }
    worker.on('error', ended)
    worker.on('exit', code => { ended(new Error(`the thread ended with code ${code}`)) })
    return worker
  }
}

function startWorker (): Worker {
  if (import.meta.url.endsWith('.js')) return new Worker(new URL('./worker.js', import.meta.url))
  // from source a loader of TypeScript is needed, which is there for `require` or for `import`, never for a thread's first file
  const url = new URL('./worker.ts', import.meta.url)
  const start = `import { createRequire } from 'node:module'
    try { createRequire('${url}')(${JSON.stringify(fileURLToPath(url))}) } catch { await import('${url}') }`
  return new Worker(new URL(`data:text/javascript,${encodeURIComponent(start)}`))
}

import { refusal } from './errors.ts'
import type { Entry } from './registry.ts'
import type { RequestCall } from './call.ts'

export interface CallLimits {
  /** ms after which a caller gets TIMEOUT */
  timeout: number
  /** Calls at once, of all tasks and events together */
  concurrency: number
}

/** Runs handlers, so many at once and so long. */
export class Limiter {
  readonly #limits: CallLimits
  #inFlight = 0

  constructor (limits: CallLimits) {
    this.#limits = limits
  }

  /**
   * Settles as the handler does, or with a timeout; a handler that goes on after that keeps its place until it settles.
   * @throws TunnelError OVERLOADED, RATE_LIMITED or TIMEOUT
   */
  async run (entry: Entry, call: RequestCall, handle: () => unknown): Promise<unknown> {
    const { concurrency = Infinity, timeout = this.#limits.timeout } = entry.options
    if (this.#inFlight >= this.#limits.concurrency) throw refusal('OVERLOADED')
    if (entry.tally.inFlight >= concurrency) throw refusal('RATE_LIMITED')
    const leave = this.#enter(entry)
    let result: unknown
    try {
      result = handle()
    } catch (error) {
      leave()
      throw error
    }
    if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') {
      leave()
      return result
    }
    return await this.#inTime(Promise.resolve(result).finally(leave), timeout, call)
  }

  #enter ({ tally }: Entry): () => void {
    this.#inFlight++
    tally.inFlight++
    return () => {
      this.#inFlight--
      tally.inFlight--
    }
  }

  #inTime (work: Promise<unknown>, timeout: number, call: RequestCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const late = refusal('TIMEOUT')
        call.abort(late)
        reject(late)
      }, timeout)
      timer.unref() // a server that closes does not wait for who takes too long
      work.then(resolve, reject).finally(() => { clearTimeout(timer) })
    })
  }
}

import { refusal } from '../errors.ts'
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
   * Gives what the handler gives, or a promise that settles as its promise does or with a timeout; a handler that goes
   * on after that keeps its place until it settles.
   * @throws TunnelError OVERLOADED or RATE_LIMITED at once, TIMEOUT later
   */
  run (entry: Entry, call: RequestCall, input: unknown): unknown {
    const { tally, options: { concurrency = Infinity, timeout = this.#limits.timeout } } = entry
    if (this.#inFlight >= this.#limits.concurrency) throw refusal('OVERLOADED')
    if (tally.inFlight >= concurrency) throw refusal('RATE_LIMITED')
    const leave = (): void => {
      this.#inFlight--
      tally.inFlight--
    }
    this.#inFlight++
    tally.inFlight++
    try {
      const result = entry.handler(input, call)
      if (isPromise(result)) return inTime(result, { timeout, leave, call })
      leave()
      return result
    } catch (error) {
      leave()
      throw error
    }
  }
}

const NOW = Promise.resolve()

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'

function inTime (
  work: PromiseLike<unknown>, { timeout, leave, call }: { timeout: number, leave: () => void, call: RequestCall }
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    let isSettled = false
    const settle = (): void => {
      isSettled = true
      clearTimeout(timer)
      leave()
    }
    work.then(value => {
      settle()
      resolve(value)
    }, error => {
      settle()
      reject(error)
    })
    // most have settled by then, and need no timer; process.nextTick would cost more than the rest of this
    NOW.then(() => {
      if (isSettled) return
      timer = setTimeout(() => {
        const late = refusal('TIMEOUT')
        call.abort(late)
        reject(late)
      }, timeout).unref() // a server that closes does not wait for who takes too long
    })
  })
}

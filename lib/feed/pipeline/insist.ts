import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'

const FIRST = 250 // ms
const LONGEST = 30_000 // ms between tries

/** Does what must be done until it works: a full disk may be emptied, a lock let go of. */
export class Insistence {
  /** What does not work at the moment, if anything does not */
  problem: string | undefined
  readonly #signal: AbortSignal
  readonly #log: Log

  /** @param signal ends it: work that failed rejects then */
  constructor (signal: AbortSignal, log: Log) {
    this.#signal = signal
    this.#log = log
  }

  /** @param what the feed cannot do, for the log */
  async on<T> (what: string, work: () => Promise<T>): Promise<T> {
    for (let wait = FIRST; ; wait = Math.min(LONGEST, wait * 2)) {
      try {
        const value = await work()
        if (this.problem !== undefined) this.#log.info({}, 'the feed writes again')
        this.problem = undefined
        return value
      } catch (error) {
        if (this.#signal.aborted) throw error
        if (this.problem === undefined) {
          this.#log.error({ err: error }, `the feed cannot ${what}, and tries again: ${messageOf(error)}`)
        }
        this.problem = messageOf(error)
        await sleep(wait, undefined, { signal: this.#signal }).catch(() => {})
      }
    }
  }
}

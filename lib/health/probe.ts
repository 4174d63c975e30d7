import { setTimeout as sleep } from 'node:timers/promises'

/** Something that has to work. Resolves when it does, rejects with what is wrong. */
export type Check = () => Promise<void> | void

export interface ProbeOptions {
  /** ms for which a result holds: any number of askers cost one check */
  keep?: number
  /** ms after which a check that has not ended counts as failed; it is not started again until it has */
  timeout?: number
}

/** Runs a check that costs something: one at a time, and not more often than useful. */
export class Probe {
  readonly #check: Check
  readonly #keep: number
  readonly #timeout: number
  #running: Promise<void> | undefined
  #startedAt = 0
  #last: { at: number, error: unknown } | undefined

  constructor (check: Check, { keep = 1_000, timeout = 2_000 }: ProbeOptions = {}) {
    this.#check = check
    this.#keep = keep
    this.#timeout = timeout
  }

  /** Rejects with what is wrong now, or was when it was last looked at. */
  async run (): Promise<void> {
    if (this.#last === undefined || performance.now() - this.#last.at > this.#keep) {
      if (this.#running === undefined) this.#start()
      if (!await this.#ended()) throw new Error(`no answer in ${this.#timeout} ms`)
    }
    if (this.#last?.error !== undefined) throw this.#last.error
  }

  #start (): void {
    this.#startedAt = performance.now()
    const settled = (error?: unknown): void => {
      this.#last = { at: performance.now(), error }
      this.#running = undefined
    }
    this.#running = (async () => { await this.#check() })().then(() => { settled() }, settled)
  }

  /** Whether the check ends before its time is over. */
  async #ended (): Promise<boolean> {
    const left = this.#startedAt + this.#timeout - performance.now()
    if (left <= 0) return false
    const stop = new AbortController()
    const late = sleep(left, false, { signal: stop.signal }).catch(() => false)
    const ended = await Promise.race([this.#running!.then(() => true), late])
    stop.abort()
    return ended
  }
}

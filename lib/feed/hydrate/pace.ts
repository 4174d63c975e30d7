import { setTimeout as delay } from 'node:timers/promises'
import { TokenBucket } from '../../limits/token-bucket.ts'

/** What an answer says of how much more may be asked. */
export interface Told { status: number, headers: Pick<Headers, 'get'> }

export interface PaceOptions {
  /** Calls a second that are made at most, whatever the server allows */
  rate: number
  /** ms, of a clock that does not go back */
  now?: () => number
}

const MAX_HOLD = 600_000 // ms that one answer may have us wait
const FIRST_BACKOFF = 1_000
const MAX_BACKOFF = 60_000
const RESERVE = 0.5 // of what may be asked in a window: only below it calls are spread over the rest of the window

/** When the next call may be made: as often as the server says, never more often than we are set to. */
export class Pace {
  readonly #bucket: TokenBucket
  readonly #now: () => number
  #line: Promise<void> = Promise.resolve()
  /** Nobody calls before. */
  #hold = 0
  /** ms between calls */
  #interval = 0
  #last = 0
  #refusals = 0
  #waiting = 0
  /** ms between calls at the rate of our own */
  readonly #least: number

  constructor ({ rate, now = () => performance.now() }: PaceOptions) {
    this.#now = now
    this.#least = 1_000 / rate
    this.#bucket = new TokenBucket(rate, now())
  }

  /** ms until somebody may call again after a refusal; 0 when nothing is held up. */
  get held (): number { return Math.max(0, this.#hold - this.#now()) }

  /** ms until whoever asks now may call, roughly. */
  get wait (): number { return this.held + this.#waiting * Math.max(this.#interval, this.#least) }

  /** Resolves when it is one's turn. Rejects with the signal's reason. */
  turn (signal?: AbortSignal): Promise<void> {
    this.#waiting++
    const turn = this.#line.then(async () => { await this.#wait(signal) }).finally(() => { this.#waiting-- })
    this.#line = turn.catch(() => {}) // whoever gives up does not hold up the others
    return turn
  }

  /** An answer has come. */
  told ({ status, headers }: Told): void {
    const now = this.#now()
    const left = untilReset(headers)
    if (status === 429) {
      const after = seconds(headers.get('retry-after')) ?? (left > 0 ? left : undefined)
      const backoff = Math.min(FIRST_BACKOFF * 2 ** this.#refusals++, MAX_BACKOFF) * (0.75 + Math.random() / 2)
      this.#hold = Math.max(this.#hold, now + Math.min(after ?? backoff, MAX_HOLD))
      return
    }
    this.#refusals = 0
    const limit = number(headers.get('ratelimit-limit'))
    const remaining = number(headers.get('ratelimit-remaining'))
    if (remaining === undefined || left <= 0) {
      this.#interval = 0
    } else if (remaining < 1) {
      this.#hold = Math.max(this.#hold, now + left)
    } else {
      this.#interval = limit !== undefined && remaining > limit * RESERVE ? 0 : left / remaining
    }
  }

  async #wait (signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    for (;;) {
      const due = Math.max(this.#hold, this.#last + this.#interval)
      const wait = due - this.#now()
      if (wait <= 0) break
      await delay(Math.min(wait, 1_000), undefined, { signal }) // it may be told otherwise meanwhile
    }
    const debt = this.#bucket.draw(1, this.#now())
    if (debt > 0) await delay(debt, undefined, { signal })
    this.#last = this.#now()
  }
}

/**
 * ms until the window of `RateLimit-Reset` ends: seconds since 1970 by the server's clock, which `Date` tells; from
 * some servers seconds from now (the IETF draft "RateLimit header fields"). 0 when it does not say.
 */
function untilReset (headers: Told['headers']): number {
  const reset = number(headers.get('ratelimit-reset'))
  if (reset === undefined) return 0
  if (reset < 1e8) return Math.min(reset * 1_000, MAX_HOLD)
  const date = Date.parse(headers.get('date') ?? '')
  return Math.min(Math.max(0, reset * 1_000 - (Number.isNaN(date) ? Date.now() : date)), MAX_HOLD)
}

/** ms of a `Retry-After`: seconds or a date (RFC 9110, section 10.2.3). */
function seconds (value: string | null): number | undefined {
  const count = number(value)
  if (count !== undefined) return count * 1_000
  const date = Date.parse(value ?? '')
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}

const number = (value: string | null): number | undefined =>
  value !== null && /^\d+(\.\d+)?$/.test(value.trim()) ? Number(value) : undefined

const SECONDS = 2 // of its rate that a full bucket holds

/** A rate with bursts: fills with time, and is drawn from. One larger draw may leave it in debt. */
export class TokenBucket {
  readonly #perMs: number
  readonly #size: number
  #left: number
  #at: number

  /**
   * @param rate tokens a second
   * @param now ms, of any clock that does not go back
   * @param least tokens that a full bucket holds at least
   */
  constructor (rate: number, now: number, least = 0) {
    this.#perMs = rate / 1000
    this.#size = this.#left = Math.max(rate * SECONDS, least)
    this.#at = now
  }

  /** Draws tokens. @returns ms until it is out of debt, 0 when it is not in debt */
  draw (tokens: number, now: number): number {
    this.#fill(now)
    this.#left -= tokens
    return this.#left >= 0 ? 0 : -this.#left / this.#perMs
  }

  /** Draws tokens if there are as many. */
  tryDraw (tokens: number, now: number): boolean {
    this.#fill(now)
    if (tokens > this.#left) return false
    this.#left -= tokens
    return true
  }

  #fill (now: number): void {
    this.#left = Math.min(this.#size, this.#left + (now - this.#at) * this.#perMs)
    this.#at = now
  }
}

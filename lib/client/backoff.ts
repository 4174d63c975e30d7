export interface BackoffOptions {
  /** ms before the first try at most; it doubles with each */
  first?: number | undefined
  /** ms between tries at most */
  longest?: number | undefined
}

/** How long to wait before the next try: exponential with full jitter, so that clients do not return all at once. */
export class Backoff {
  readonly #first: number
  readonly #longest: number
  #tries = 0

  constructor ({ first = 500, longest = 30_000 }: BackoffOptions = {}) {
    this.#first = first
    this.#longest = longest
  }

  /** ms to wait. @param least what the relay asked for, in ms */
  next (least = 0): number {
    const most = Math.min(this.#longest, this.#first * 2 ** this.#tries++)
    return least + Math.random() * most
  }

  reset (): void {
    this.#tries = 0
  }
}

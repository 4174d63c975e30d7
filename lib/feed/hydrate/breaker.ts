export type BreakerState = 'closed' | 'open' | 'half-open'

export interface BreakerOptions {
  /** Failures in a row that open it */
  failures?: number
  /** ms that it stays open the first time; twice as long each time it fails again */
  pause?: number
  /** ms that it stays open at most */
  maxPause?: number
  now?: () => number
  onChange?: (state: BreakerState) => void
}

/**
 * A circuit breaker: after some failures in a row nobody asks for a while. Then one does, and what comes of that
 * decides. Whoever asks calls `tryPass` before and `succeeded` or `failed` after.
 */
export class Breaker {
  readonly #options: Required<BreakerOptions>
  #state: BreakerState = 'closed'
  #failures = 0
  #pause: number
  #until = 0

  constructor (options: BreakerOptions = {}) {
    this.#options = {
      failures: 5,
      pause: 5_000,
      maxPause: 60_000,
      now: () => performance.now(),
      onChange: () => {},
      ...options
    }
    this.#pause = this.#options.pause
  }

  get state (): BreakerState { return this.#state }

  /** Whether `tryPass` would let one pass. */
  get mayPass (): boolean {
    return this.#state === 'closed' || (this.#state === 'open' && this.#options.now() >= this.#until)
  }

  /** Whether one may ask. While it is half open, one does. */
  tryPass (): boolean {
    if (!this.mayPass) return false
    if (this.#state === 'open') this.#become('half-open')
    return true
  }

  succeeded (): void {
    this.#failures = 0
    if (this.#state === 'open') return // of one who asked before it opened: what is decides the next
    this.#pause = this.#options.pause
    this.#become('closed')
  }

  failed (): void {
    if (this.#state === 'open') return
    const { failures, maxPause, now } = this.#options
    if (this.#state === 'closed' && ++this.#failures < failures) return
    this.#until = now() + this.#pause
    this.#pause = Math.min(this.#pause * 2, maxPause)
    this.#become('open')
  }

  /** Nothing came of it: whoever asked has been stopped. */
  cancelled (): void {
    if (this.#state !== 'half-open') return
    this.#until = this.#options.now()
    this.#become('open')
  }

  #become (state: BreakerState): void {
    if (state === this.#state) return
    this.#state = state
    this.#options.onChange(state)
  }
}

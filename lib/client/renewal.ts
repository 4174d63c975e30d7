const BEFORE = 60_000 // ms that a token still holds when a new one is asked for
const LEAST = 250 // ms before one that was just accepted is renewed
const LOOK = 30_000 // ms at most between looks at the clock: timers do not see it being set, nor a machine asleep

/** Says when a token is to be renewed. */
export class Renewal {
  readonly #due: () => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor (due: () => void) {
    this.#due = due
  }

  /** The token holds until then, in ms since 1970. Where the clock is ahead every one seems to have expired. */
  expects (expires: number): void {
    this.stop()
    const left = expires - Date.now()
    this.#wait(Date.now() + (left > 0 ? Math.max(left - BEFORE, left / 2, LEAST) : LOOK))
  }

  stop (): void { clearTimeout(this.#timer) }

  #wait (until: number): void {
    const left = until - Date.now()
    if (left <= 0) this.#due()
    else this.#timer = setTimeout(() => { this.#wait(until) }, Math.min(left, LOOK))
  }
}

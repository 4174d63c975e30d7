const INTERVAL = 20_000 // ms between pings
const SILENCE = 60_000 // ms without an event on a stream that is never quiet

export interface WatchdogParts {
  ping: () => void
  /** The connection is dead; said once. */
  dead: (reason: string) => void
  /** Whether the whole network is listened to, which is never silent */
  isFull: boolean
}

/**
 * Finds out whether a connection is alive: by our own pings, because a stream with a filter may be quiet for hours. A
 * socket that we paused is not judged: its pongs are not read.
 */
export class Watchdog {
  /** ms since 1970 of the last ping that was answered: all that the server had sent until then has been read */
  answeredAt: number | undefined
  readonly #parts: WatchdogParts
  readonly #timer: NodeJS.Timeout
  #unanswered: number[] = []
  #eventAt = Date.now()
  #isPaused = false

  constructor (parts: WatchdogParts) {
    this.#parts = parts
    this.#timer = setInterval(() => { this.#tick() }, INTERVAL)
  }

  event (): void {
    this.#eventAt = Date.now()
    this.#unanswered.length = 0
  }

  /** A pong answers all pings before it (RFC 6455, 5.5.3). */
  pong (): void {
    const sentAt = this.#unanswered.at(-1)
    if (sentAt !== undefined) this.answeredAt = sentAt
    this.#unanswered.length = 0
  }

  pause (): void { this.#isPaused = true }

  resume (): void {
    this.#isPaused = false
    this.event()
  }

  close (): void { clearInterval(this.#timer) }

  #tick (): void {
    if (this.#isPaused) return
    if (this.#unanswered.length >= 2) return this.#die('two pings went unanswered')
    if (this.#parts.isFull && Date.now() - this.#eventAt >= SILENCE) {
      return this.#die('a full stream was silent for a minute')
    }
    this.#unanswered.push(Date.now())
    this.#parts.ping()
  }

  #die (reason: string): void {
    this.close()
    this.#parts.dead(reason)
  }
}

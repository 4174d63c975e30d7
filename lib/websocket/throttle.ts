import { RelayError } from '../errors.ts'
import type { LimitsSettings } from '../limits/options.ts'
import type { Refusals } from '../limits/refusals.ts'
import { TokenBucket } from '../limits/token-bucket.ts'

/** What can be left unread for a while. */
export interface Pausable { pause (): void, resume (): void }

export interface ThrottleParts {
  readonly settings: Pick<LimitsSettings, 'messageRate' | 'byteRate'>
  readonly refusals: Refusals
}

/**
 * Reads a socket no faster than it may send: what comes faster waits at the sender's, and nothing is lost. What has
 * been read already when the limit is met is still taken.
 */
export class Throttle {
  readonly #socket: Pausable
  readonly #parts: ThrottleParts
  readonly #source: string
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  #pause: NodeJS.Timeout | undefined

  /** @param largest bytes of the largest message, which may come at once at any rate */
  constructor (socket: Pausable, parts: ThrottleParts, source: string, largest: number) {
    const now = performance.now()
    this.#socket = socket
    this.#parts = parts
    this.#source = source
    this.#messages = new TokenBucket(parts.settings.messageRate, now)
    this.#bytes = new TokenBucket(parts.settings.byteRate, now, largest)
  }

  get isPaused (): boolean { return this.#pause !== undefined }

  /** Counts what was read. */
  count (messages: number, bytes: number): void {
    const now = performance.now()
    const forMessages = this.#messages.draw(messages, now)
    const forBytes = this.#bytes.draw(bytes, now)
    const wait = Math.max(forMessages, forBytes)
    if (wait === 0 || this.isPaused) return
    const { settings: { messageRate, byteRate }, refusals } = this.#parts
    const [limit, most] = forMessages >= forBytes
      ? ['messageRate', `${messageRate} messages`] as const
      : ['byteRate', `${byteRate} bytes`] as const
    refusals.meet(limit, this.#source, new RelayError(
      'RELAY_RATE_LIMITED', `More than ${most} a second from one connection: it is slowed down`
    ))
    this.#socket.pause()
    this.#wait(wait)
  }

  close (): void { clearTimeout(this.#pause) }

  #wait (ms: number): void {
    this.#pause = setTimeout(() => {
      const now = performance.now()
      // more may have come that was read before
      const left = Math.max(this.#messages.draw(0, now), this.#bytes.draw(0, now))
      if (left > 0) {
        this.#wait(left)
        return
      }
      this.#pause = undefined
      this.#socket.resume()
    }, Math.ceil(ms))
  }
}

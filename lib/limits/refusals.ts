import type { RelayErrorCode } from '../errors.ts'
import type { Log } from '../log.ts'
import type { LimitName } from './options.ts'

/** What a source was told last, when a line was logged of it, and how often it was told since. */
interface Told { code: RelayErrorCode, message: string, loggedAt: number, silent: number }

/** What is told of a refusal. */
interface Refusal { readonly code: RelayErrorCode, readonly message: string }

const LOG_INTERVAL = 60_000 // ms between two lines about one source
const SWEEP_INTERVAL = 10_000 // ms
const MAX_SOURCES = 10_000
const OTHERS = 'others'

/**
 * Where refusals are told of: counted by the limit that was met, and logged, each source at most once a minute however
 * often it is refused. A source is a principal or an address.
 */
export class Refusals {
  readonly #log: Log
  readonly #now: () => number
  readonly #sources = new Map<string, Told>()
  readonly #met = new Map<LimitName, number>()
  #timer: NodeJS.Timeout | undefined

  /** @param now ms */
  constructor (log: Log, now: () => number = () => performance.now()) {
    this.#log = log
    this.#now = now
  }

  /** How often each limit has been met. */
  get met (): ReadonlyMap<LimitName, number> { return this.#met }

  /** A limit was met, of which is told elsewhere. */
  count (limit: LimitName): void { this.#met.set(limit, (this.#met.get(limit) ?? 0) + 1) }

  /** A source has met a limit. */
  meet (limit: LimitName, source: string, refusal: Refusal): void {
    this.count(limit)
    this.tell(source, refusal)
  }

  /** A source was refused something. */
  tell (source: string, { code, message }: Refusal): void {
    const key = this.#sources.has(source) || this.#sources.size < MAX_SOURCES ? source : OTHERS
    const known = this.#sources.get(key)
    if (known !== undefined) {
      Object.assign(known, { code, message, silent: known.silent + 1 })
      return
    }
    this.#sources.set(key, { code, message, loggedAt: this.#now(), silent: 0 })
    this.#log.warn({ source: key, code }, `refused: ${message}`)
    this.#timer ??= setInterval(() => { this.sweep() }, SWEEP_INTERVAL).unref()
  }

  /** Logs what was not told of in the last minute, and forgets who was not refused since. */
  sweep (): void {
    const now = this.#now()
    for (const [source, entry] of this.#sources) {
      if (now - entry.loggedAt < LOG_INTERVAL) continue
      if (entry.silent === 0) {
        this.#sources.delete(source)
        continue
      }
      this.#log.warn(
        { source, code: entry.code, times: entry.silent }, `refused ${entry.silent} more times: ${entry.message}`
      )
      Object.assign(entry, { loggedAt: now, silent: 0 })
    }
    if (this.#sources.size === 0) this.close()
  }

  close (): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

import type { Wire } from '../position.ts'

const FIRST = 500 // ms
const LONGEST = 60_000 // ms
const STABLE = 60_000 // ms of events after which a connection was a good one
const TRIES = 2 // on one host, before another is asked

/** A Jetstream server and how it is spoken to. */
export interface Host {
  /** `wss://name[:port]` */
  readonly url: string
  readonly wire: Wire
}

/** Which server is asked next, and when. */
export class Hosts {
  /** Times that another server was gone over to */
  switches = 0
  readonly #hosts: readonly Host[]
  readonly #refusals = new Map<Host, string>()
  #index = 0
  #failures = 0
  #failuresHere = 0

  constructor (hosts: readonly Host[]) {
    this.#hosts = hosts
  }

  get current (): Host { return this.#hosts[this.#index]! }

  /** Those that have not refused what is asked for. */
  get fit (): Host[] { return this.#hosts.filter(host => !this.#refusals.has(host)) }

  /** What each host that refused for good said. */
  get refusals (): ReadonlyMap<Host, string> { return this.#refusals }

  /** Goes to a host of the list. */
  use (host: Host): void {
    if (host !== this.current) this.switches++
    this.#index = this.#hosts.indexOf(host)
    this.#failuresHere = 0
  }

  /**
   * A connection ended. @param lasted ms for which events came, 0 if none did
   * @returns ms to wait before the next; full jitter, so that a thousand clients do not come back at once
   */
  failed (kind: 'refused' | 'unfit' | 'lost', reason: string, lasted: number): number {
    if (lasted >= STABLE) this.#failures = this.#failuresHere = 0
    this.#failures++
    this.#failuresHere++
    if (kind === 'refused') this.#refusals.set(this.current, reason)
    if (kind !== 'lost' || this.#failuresHere >= TRIES) this.#next()
    return Math.random() * Math.min(LONGEST, FIRST * 2 ** (this.#failures - 1))
  }

  #next (): void {
    const { current, fit } = this
    if (fit.length === 0) return
    const after = [...this.#hosts.slice(this.#index + 1), ...this.#hosts.slice(0, this.#index + 1)]
    const next = after.find(host => fit.includes(host))!
    if (next !== current) this.use(next)
    this.#failuresHere = 0
  }
}

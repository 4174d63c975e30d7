const OLD_SHARE = 0.8 // of an average, each time something is added
const NEW_SHARE = 0.2
const QUARANTINE_BELOW = 0.3
const BACK_ABOVE = 0.5
const QUARANTINE_LASTS = 10 * 60_000 // ms at least
const WRONG_SHARDS = 3 // in a day
const DAY = 24 * 60 * 60_000 // ms
const DEAD_AFTER = DAY // without an answer

/** active: read and written. quarantined: read last, not written. dead: given up, and repaired round. */
export type NodeState = 'active' | 'quarantined' | 'dead'

/** How well a place answers: averages over its requests and probes, and what follows from them. */
export class Health {
  #latency: number | undefined // ms
  #jitter = 0 // ms
  #loss = 0 // 0 to 1
  #state: NodeState = 'active'
  #since: number
  #answered: number
  #wrong: number[] = []

  /** @param now ms of a clock that only goes forward */
  constructor (now: number) {
    this.#since = this.#answered = now
  }

  get latency (): number {
    return this.#latency ?? 0
  }

  get jitter (): number {
    return this.#jitter
  }

  get loss (): number {
    return this.#loss
  }

  get state (): NodeState {
    return this.#state
  }

  /** ms since the last answer. */
  silentFor (now: number): number {
    return now - this.#answered
  }

  /** 0 to 1: half a second late costs 0.2, jitter of 100 ms or every answer lost 0.3. */
  get score (): number {
    return (
      0.4 * (1 - Math.min(this.latency / 1000, 1)) +
      0.3 * (1 - Math.min(this.#jitter / 100, 1)) +
      0.3 * (1 - this.#loss)
    )
  }

  /** An answer after so many ms, or none. */
  sample (latency: number | null, now: number): void {
    if (latency === null) this.#loss = OLD_SHARE * this.#loss + NEW_SHARE
    else {
      this.#loss *= OLD_SHARE
      this.#jitter = this.#latency === undefined
        ? 0
        : OLD_SHARE * this.#jitter + NEW_SHARE * Math.abs(latency - this.#latency)
      this.#latency = this.#latency === undefined ? latency : OLD_SHARE * this.#latency + NEW_SHARE * latency
      this.#answered = now
    }
    this.#judge(now)
  }

  /** A shard that was not what it should be. */
  wrongShard (now: number): void {
    this.#wrong.push(now)
    this.#judge(now)
  }

  /** The operator says that it is gone for good, or is not. */
  declare (state: 'active' | 'dead', now: number): void {
    this.#change(state, now)
    if (state === 'active') {
      this.#wrong = []
      this.#answered = now
    }
  }

  /** Time passes. */
  tick (now: number): void {
    this.#judge(now)
  }

  #judge (now: number): void {
    this.#wrong = this.#wrong.filter(at => now - at < DAY)
    const isBad = this.score < QUARANTINE_BELOW || this.#wrong.length >= WRONG_SHARDS
    if (now - this.#answered >= DEAD_AFTER) this.#change('dead', now)
    else if (this.#state === 'dead' && this.#answered === now) this.#change('quarantined', now)
    else if (this.#state === 'active' && isBad) this.#change('quarantined', now)
    else if (
      this.#state === 'quarantined' &&
      !isBad &&
      this.score > BACK_ABOVE &&
      now - this.#since >= QUARANTINE_LASTS
    ) { this.#change('active', now) }
  }

  #change (state: NodeState, now: number): void {
    if (this.#state === state) return
    this.#state = state
    this.#since = now
  }
}

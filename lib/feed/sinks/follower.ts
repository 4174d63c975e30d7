import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Batch, Refusal, Sink } from './sink.ts'

const FIRST = 500 // ms
const LONGEST = 30_000 // ms

export interface FollowerParts {
  readonly sink: Sink
  /** The last number that it has made durable */
  readonly number: number
  /** The records after a number, at most one batch; empty when there are no more */
  readonly next: (after: number) => Promise<Batch>
  /** It has made another number durable. */
  readonly moved: () => void
  /** Keeps what it refuses. Rejects when that cannot be kept: the batch comes again */
  readonly refused: (refusals: readonly Refusal[]) => Promise<void>
  readonly log: Log
}

/** Hands a sink the records one batch after the other, again and again until it has them. */
export class Follower {
  readonly sink: Sink
  number: number
  records = 0
  refusals = 0
  failures = 0
  /** Records that were kept nowhere any more when it came to them */
  missed = 0
  /** Why its last batch is not durable, if it is not */
  problem: string | undefined
  readonly #parts: FollowerParts
  readonly #stop = new AbortController()
  #running: Promise<void> | undefined
  #isWoken = false
  #back: number | undefined

  constructor (parts: FollowerParts) {
    this.#parts = parts
    this.sink = parts.sink
    this.number = parts.number
  }

  /** There is more. */
  wake (): void {
    this.#isWoken = true
    if (this.#stop.signal.aborted) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#isWoken) this.wake()
    })
  }

  /** Begins anew after a number, once what is under way is done. */
  rewind (after: number): void {
    this.#back = after
    this.wake()
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.sink.close()
  }

  async #run (): Promise<void> {
    const { next, log, moved } = this.#parts
    let wait = FIRST
    while (!this.#stop.signal.aborted) {
      this.#isWoken = false
      try {
        await this.#rewind()
        const batch = await next(this.number)
        if (batch.length === 0) {
          this.problem = undefined
          return
        }
        await this.#write(batch)
        wait = FIRST
        moved()
      } catch (error) {
        if (this.#stop.signal.aborted) return
        this.failures++
        if (this.problem === undefined) {
          log.error(
            { sink: this.sink.name, err: error },
          `the feed’s sink ${this.sink.name} cannot write, and tries again: ${messageOf(error)}`
          )
        }
        this.problem = messageOf(error)
        await sleep(wait / 2 + Math.random() * wait / 2, undefined, { signal: this.#stop.signal }).catch(() => {})
        wait = Math.min(LONGEST, wait * 2)
      }
    }
  }

  async #rewind (): Promise<void> {
    const back = this.#back
    if (back === undefined) return
    await this.sink.rewind?.(back)
    this.number = back
    this.#back = undefined
  }

  async #write (batch: Batch): Promise<void> {
    const skipped = batch[0]!.number - this.number - 1
    if (skipped > 0) {
      this.missed += skipped
      this.#parts.log.error({ sink: this.sink.name, after: this.number, missed: skipped }, 'the feed’s sink ' +
        `${this.sink.name} misses records that are not kept any more`)
    }
    const refusals = await this.sink.write(batch, this.#stop.signal)
    if (refusals.length > 0) await this.#parts.refused(refusals)
    if (this.problem !== undefined) {
      this.#parts.log.info({ sink: this.sink.name }, `the feed’s sink ${this.sink.name} writes again`)
    }
    this.problem = undefined
    this.refusals += refusals.length
    this.records += batch.length - refusals.length
    this.number = batch.at(-1)!.number
  }
}

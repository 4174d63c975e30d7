import type { FeedEvent } from '../event.ts'
import type { Position } from '../position.ts'

const EVENTS = 500 // of a batch
const BYTES = 1024 * 1024 // of a batch
const DELAY = 50 // ms that the first event of a batch waits for others
const MOST_EVENTS = 5_000 // on their way, beyond which the source is paused
const MOST_BYTES = 32 * 1024 * 1024

/** Events that go on together. */
export interface Group {
  readonly events: readonly FeedEvent[]
  /** Where the stream stands after them */
  readonly position: Position
  readonly bytes: number
}

export interface BufferParts {
  /** A batch is complete. */
  group: (group: Group) => void
  /** More is on its way than should be, or no longer. */
  full: (isFull: boolean) => void
}

/** Makes batches of events, and says when the source is to wait: nothing is ever dropped. */
export class Buffer {
  readonly #parts: BufferParts
  #events: FeedEvent[] = []
  #bytes = 0
  #position: Position | undefined
  #timer: NodeJS.Timeout | undefined
  #underWay = { events: 0, bytes: 0 }
  #isFull = false

  constructor (parts: BufferParts) {
    this.#parts = parts
  }

  /** Events that have come and are not durable everywhere they must be. */
  get size (): number { return this.#underWay.events }
  get bytes (): number { return this.#underWay.bytes }
  get isFull (): boolean { return this.#isFull }

  add (event: FeedEvent, position: Position): void {
    const bytes = event.text.length
    this.#events.push(event)
    this.#bytes += bytes
    this.#position = position
    this.#underWay.events++
    this.#underWay.bytes += bytes
    if (this.#events.length >= EVENTS || this.#bytes >= BYTES) this.flush()
    else this.#timer ??= setTimeout(() => { this.flush() }, DELAY)
    this.#weigh()
  }

  /** Sends on what is there. */
  flush (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#events.length === 0) return
    const group = { events: this.#events, position: this.#position!, bytes: this.#bytes }
    this.#events = []
    this.#bytes = 0
    this.#parts.group(group)
  }

  /** A batch needs no memory any more. */
  done ({ events, bytes }: Group): void {
    this.#underWay.events -= events.length
    this.#underWay.bytes -= bytes
    this.#weigh()
  }

  close (): void { clearTimeout(this.#timer) }

  /** Full from the mark on, until half of it is gone. */
  #weigh (): void {
    const { events, bytes } = this.#underWay
    const [most, mostBytes] = this.#isFull ? [MOST_EVENTS / 2, MOST_BYTES / 2] : [MOST_EVENTS, MOST_BYTES]
    const isFull = events >= most || bytes >= mostBytes
    if (isFull === this.#isFull) return
    this.#isFull = isFull
    this.#parts.full(isFull)
  }
}

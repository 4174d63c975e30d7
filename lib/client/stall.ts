import type { Socket } from './socket.ts'

const LOOK = 10_000 // ms
const LOOKS = 3 // without a sign of life

/** Notices a connection that is dead without having been closed: bytes wait, none of them leaves, and nothing comes. */
export class Stall {
  readonly #stalled: () => void
  #timer: ReturnType<typeof setInterval> | undefined
  #waiting = 0
  #looks = 0

  constructor (stalled: () => void) {
    this.#stalled = stalled
  }

  watch (socket: Pick<Socket, 'bufferedAmount'>): void {
    this.stop()
    this.#timer = setInterval(() => {
      const waiting = socket.bufferedAmount
      this.#looks = waiting > 0 && waiting >= this.#waiting ? this.#looks + 1 : 0
      this.#waiting = waiting
      if (this.#looks > LOOKS) this.#stalled()
    }, LOOK)
  }

  /** Something came. */
  heard (): void {
    this.#looks = 0
  }

  stop (): void {
    clearInterval(this.#timer)
    this.#looks = this.#waiting = 0
  }
}

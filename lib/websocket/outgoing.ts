import { encodeFragment, encodeMessages } from '../wire/websocket-message.ts'

/** What is used of the stream below a socket: whether bytes still move, and to write to. */
export interface Wire {
  readonly bytesRead: number
  readonly bytesWritten: number
  readonly writableLength: number
  write (data: Uint8Array): boolean
  once (event: 'drain', listener: () => void): this
}

/** A message on its way: `head` with `tail` after it. `at`: bytes of it that were written. */
interface Message { head: Uint8Array, tail: Uint8Array, at: number }

const MAX_FRAGMENT = 2 ** 20 // bytes: WebSocket libraries bound a frame by less than a message (tungstenite: 16 MiB)

/**
 * Writes messages to a WebSocket's stream. A large one goes out in fragments (RFC 6455 section 5.4), each once the
 * stream has taken the one before: pings and pongs go between them, and what many are sent is not copied for each.
 */
export class Outgoing {
  readonly #wire: Wire
  readonly #isOpen: () => boolean
  readonly #queue: Message[] = []
  #waiting = 0
  #isBusy = false

  constructor (wire: Wire, isOpen: () => boolean) {
    this.#wire = wire
    this.#isOpen = isOpen
  }

  /** Bytes that the stream has not been given yet. */
  get waiting (): number { return this.#waiting }

  /** Sends messages, each one of `heads` with `tail` after it. */
  send (heads: readonly Uint8Array[], tail: Uint8Array): void {
    if (this.#queue.length === 0 && heads.every(({ length }) => length + tail.length <= MAX_FRAGMENT)) {
      this.#wire.write(encodeMessages(heads, tail))
      return
    }
    for (const head of heads) {
      this.#queue.push({ head, tail, at: 0 })
      this.#waiting += head.length + tail.length
    }
    if (!this.#isBusy) this.#write()
  }

  /** Forgets what waits: the socket is closed. */
  close (): void {
    this.#queue.length = 0
    this.#waiting = 0
  }

  #write (): void {
    this.#isBusy = false
    if (!this.#isOpen()) this.close()
    for (let message = this.#queue[0]; message !== undefined; message = this.#queue[0]) {
      const goesOn = this.#writeFragment(message)
      if (message.at === message.head.length + message.tail.length) this.#queue.shift()
      if (goesOn) continue
      this.#isBusy = true
      this.#wire.once('drain', () => { this.#write() })
      return
    }
  }

  /** Writes the next part of a message. Returns whether the stream takes more now. */
  #writeFragment (message: Message): boolean {
    const { head, tail, at } = message
    const length = Math.min(head.length + tail.length - at, MAX_FRAGMENT)
    const end = at + length
    const parts = [
      encodeFragment(length, at === 0, end === head.length + tail.length),
      head.subarray(at, end),
      tail.subarray(Math.max(at - head.length, 0), Math.max(end - head.length, 0))
    ]
    message.at = end
    this.#waiting -= length
    return parts.filter(({ length }) => length > 0).reduce((_, part) => this.#wire.write(part), true)
  }
}

import { RelayError } from '../../errors.ts'
import type { Channel } from './pump.ts'

/** The part of a WebSocket that is used. */
export interface ChannelSocket {
  readonly bufferedAmount: number
  send: (text: string, sent: () => void) => void
  ping: () => void
  close: (code: number, reason: string) => void
  terminate: () => void
  on: (event: 'message' | 'pong' | 'close' | 'error', listener: () => void) => unknown
}

const FULL = 256 * 1024 // bytes unsent beyond which the next waits
const PING = 30_000 // ms; a consumer that has not answered by the next has left

/** Records as messages of a WebSocket, one JSON text each. The consumer never speaks. */
export class SocketChannel implements Channel {
  readonly #socket: ChannelSocket
  readonly #stop = new AbortController()

  constructor (socket: ChannelSocket) {
    this.#socket = socket
    let isThere = true
    const timer = setInterval(() => {
      if (!isThere) return socket.terminate()
      isThere = false
      socket.ping()
    }, PING)
    timer.unref()
    socket.on('pong', () => { isThere = true })
    socket.on('error', () => {}) // it closes
    socket.on('message', () => { this.end(new RelayError('RELAY_BAD_REQUEST', 'This socket takes no messages')) })
    socket.on('close', () => {
      clearInterval(timer)
      this.#stop.abort()
    })
  }

  /** Aborted when it is closed. */
  get signal (): AbortSignal { return this.#stop.signal }

  record (text: string): Promise<void> | undefined {
    const socket = this.#socket
    let done = (): void => {}
    const sent = new Promise<void>(resolve => { done = resolve })
    socket.send(text, done)
    return socket.bufferedAmount < FULL ? undefined : sent
  }

  gone (oldest: number): void {
    this.#socket.send(JSON.stringify({ gone: true, oldest }), () => {})
    this.end(new RelayError('RELAY_FEED_CURSOR_GONE', `Records before number ${oldest + 1} are not kept any more`))
  }

  /** Ends it with the code of an error. */
  end ({ closeCode, code }: RelayError): void { this.#socket.close(closeCode, code) }
}

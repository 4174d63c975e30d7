import { once } from 'node:events'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { within } from './statistics.ts'

const OPEN_WITHIN = 20_000 // ms
const MAX_PAYLOAD = 2 ** 30 // some servers send a whole document as one message

/** What went over a socket. Bytes are those of the messages, without WebSocket's own. */
export interface Traffic { messagesIn: number, bytesIn: number, messagesOut: number, bytesOut: number }

/** A WebSocket that counts. */
export class Wire {
  readonly traffic: Traffic = { messagesIn: 0, bytesIn: 0, messagesOut: 0, bytesOut: 0 }
  /** Why it closed; undefined while it is open. */
  closed: string | undefined
  readonly #url: string
  #socket: WebSocket | undefined
  #onMessage: (message: Buffer) => void

  constructor (url: string, onMessage: (message: Buffer) => void) {
    this.#url = url
    this.#onMessage = onMessage
  }

  async open (): Promise<void> {
    const socket = new WebSocket(this.#url, {
      perMessageDeflate: false, skipUTF8Validation: true, maxPayload: MAX_PAYLOAD
    })
    this.#socket = socket
    socket.on('error', error => { this.closed ??= error.message })
    socket.on('close', code => { this.closed ??= `closed with ${code}` })
    socket.on('message', (message: Buffer) => {
      this.traffic.messagesIn++
      this.traffic.bytesIn += message.length
      this.#onMessage(message)
    })
    await within(once(socket, 'open'), OPEN_WITHIN, 'opening a socket')
  }

  /** From now on messages are counted and not looked at. */
  ignore (): void { this.#onMessage = () => {} }

  send (message: Uint8Array): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return // `closed` tells
    this.traffic.messagesOut++
    this.traffic.bytesOut += message.length
    this.#socket.send(message, { binary: true })
  }

  /** Stops reading from the operating system, as a client that hangs does: `ws`'s own `pause` would leave it a say. */
  pause (): void { this.#tcp.pause() }
  resume (): void { this.#tcp.resume() }
  close (): void { this.#socket?.terminate() }

  get #tcp (): Socket { return (this.#socket as unknown as { _socket: Socket })._socket }
}

import { RelayError, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import { ANONYMOUS } from '../access/identity/principal.ts'
import { networkOf } from '../limits/address.ts'
import { nameOf } from '../limits/limits.ts'
import type { LimitsSettings } from '../limits/options.ts'
import type { Connection, SyncEngine, Transport } from '../sync/engine.ts'
import type { Grant } from '../sync/peers/grant.ts'
import { Outgoing, type Wire } from './outgoing.ts'
import { Throttle, type Pausable, type ThrottleParts } from './throttle.ts'

/** What is used of a `ws` WebSocket. */
export interface Socket extends Pausable {
  readonly bufferedAmount: number
  readonly readyState: number
  ping (): void
  close (code: number, reason: string): void
  terminate (): void
  on (event: 'message', listener: (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean) => void): this
  on (event: 'ping' | 'pong', listener: () => void): this
  on (event: 'close', listener: (code: number) => void): this
  on (event: 'error', listener: (error: Error) => void): this
}

/**
 * Who is at the other end: the address, the id of the principal, and bytes of the largest message it takes, if that is
 * bounded.
 */
export interface SocketOrigin { readonly address: string, readonly principal: string, readonly maxMessage?: number }

/** Messages, and bytes of the stream. */
export interface Amount { messages: number, bytes: number }

/** A socket, for whoever looks on. */
export interface OpenSocket extends SocketOrigin {
  /** What the relay calls the connection in its log. */
  readonly key: string
  /** What its peer calls itself; empty until it joined. */
  readonly peerId: string
  /** ms since it was opened */
  readonly age: number
  readonly followed: ReadonlySet<DocumentId>
  /** Bytes that the peer has not read yet. */
  readonly backlog: number
  readonly received: Amount
  readonly sent: Amount
}

export interface PeerSocketOptions {
  /** bytes of the largest message */
  maxFrame: number
  /** ms for the other side to answer a close */
  closeTimeout: number
}

export interface SocketsLimits extends ThrottleParts {
  readonly settings: ThrottleParts['settings'] & Pick<LimitsSettings, 'idle'>
}

const OPEN = 1
const MAX_MISSED = 2 // pings in a row: a client that loads a large document is mute for seconds

/** One WebSocket: what comes is counted, throttled and handed to the engine; it is watched for signs of life. */
export class PeerSocket implements Transport, OpenSocket {
  /** Resolves when the socket is closed. */
  readonly gone: Promise<void>
  readonly address: string
  readonly principal: string
  readonly maxMessage: number
  /** What the log calls where it comes from. */
  readonly source: string
  readonly #socket: Socket
  readonly #wire: Wire
  readonly #outgoing: Outgoing
  readonly #throttle: Throttle
  readonly #idle: number
  readonly #options: PeerSocketOptions
  readonly #connection: Connection
  #answered = true
  #missed = 0
  #read = 0
  #flushed = 0
  #unflushed = 0
  readonly #since = performance.now()
  #messagesIn = 0
  #messagesBefore = 0
  #heardAt = this.#since
  #messagesOut = 0
  #reason: string | undefined

  constructor (
    socket: Socket,
    wire: Wire,
    { address, principal, maxMessage = Infinity }: SocketOrigin,
    engine: SyncEngine,
    options: PeerSocketOptions,
    limits: SocketsLimits,
    grant: Grant | undefined
  ) {
    this.address = address
    this.principal = principal
    this.maxMessage = maxMessage
    this.source = nameOf({ address: networkOf(address), principal: principal === ANONYMOUS.id ? undefined : principal })
    this.#throttle = new Throttle(socket, limits, this.source, options.maxFrame)
    this.#idle = limits.settings.idle
    this.#socket = socket
    this.#wire = wire
    this.#outgoing = new Outgoing(wire, () => socket.readyState === OPEN)
    this.#options = options
    this.gone = new Promise(resolve => { socket.on('close', () => { resolve() }) })
    const connection = this.#connection = engine.connect(this, grant)
    socket.on('message', (data, isBinary) => { this.#receive(data, isBinary) })
    socket.on('ping', () => { this.#throttle.count(1, 0) }) // ws has answered it
    socket.on('pong', () => { this.#answered = true })
    socket.on('close', () => {
      this.#throttle.close()
      this.#outgoing.close()
      connection.closed()
    })
    // ws has begun to close by itself, with the code that fits
    socket.on('error', error => { connection.refuse(refusal(error)) })
  }

  /** Closes it, and says why. */
  refuse (reason: RelayError): void { this.#connection.refuse(reason) }

  get backlog (): number { return this.#socket.bufferedAmount + this.#outgoing.waiting }

  get key (): string { return this.#connection.key }
  get peerId (): string { return this.#connection.peerId }
  get followed (): ReadonlySet<DocumentId> { return this.#connection.followed }
  get age (): number { return performance.now() - this.#since }
  get received (): Amount { return { messages: this.#messagesIn, bytes: this.#wire.bytesRead } }
  get sent (): Amount { return { messages: this.#messagesOut, bytes: this.#wire.bytesWritten } }

  /** What there is to tell of it in the end; `reason` is the relay's, if it was the one who closed. */
  life (): object {
    const { key: connection, peerId, age, received, sent } = this
    return {
      connection,
      peerId,
      duration: Math.round(age), // ms
      received,
      sent,
      ...(this.#reason !== undefined && { reason: this.#reason })
    }
  }

  send (heads: readonly Uint8Array[], tail: Uint8Array): void {
    // a write that fails is lost with its connection; 'close' follows, and the peer resyncs
    this.#messagesOut += heads.length
    if (this.#socket.readyState === OPEN) this.#outgoing.send(heads, tail)
  }

  charge (bytes: number): void { this.#throttle.count(0, bytes) }

  close (code: number, reason: string): void {
    this.#reason = reason
    this.#socket.close(code, reason)
    const timer = setTimeout(() => { this.#socket.terminate() }, this.#options.closeTimeout)
    this.gone.then(() => { clearTimeout(timer) })
  }

  /**
   * A peer has missed a ping when it has neither answered it, nor sent anything, nor taken some of what was waiting for
   * it.
   */
  beat (): void {
    const { bytesRead, bytesWritten, writableLength } = this.#wire
    const flushed = bytesWritten - writableLength
    const alive = this.#answered ||
      this.#throttle.isPaused || bytesRead > this.#read || (this.#unflushed > 0 && flushed > this.#flushed)
    this.#missed = alive ? 0 : this.#missed + 1
    if (this.#missed >= MAX_MISSED) {
      this.#socket.terminate()
      return
    }
    this.#answered = false
    this.#read = bytesRead
    this.#flushed = flushed
    this.#unflushed = writableLength + this.#outgoing.waiting
    if (this.#socket.readyState === OPEN) this.#socket.ping()
    this.#endIdle()
  }

  #endIdle (): void {
    const now = performance.now()
    if (this.#messagesIn > this.#messagesBefore || this.#connection.followed.size > 0) this.#heardAt = now
    this.#messagesBefore = this.#messagesIn
    if (now - this.#heardAt > this.#idle) {
      this.#connection.refuse(new RelayError('RELAY_IDLE', 'idle: no document followed and no message for a while'))
    }
  }

  #receive (data: Buffer | ArrayBuffer | Buffer[], isBinary: boolean): void {
    this.#messagesIn++
    const bytes = Array.isArray(data) ? Buffer.concat(data) : data instanceof ArrayBuffer ? new Uint8Array(data) : data
    if (!isBinary) {
      this.#connection.refuse(new RelayError('RELAY_FRAME_NOT_BINARY', 'frames are binary'))
    } else if (bytes.length > this.#options.maxFrame) {
      this.#connection.refuse(
        new RelayError('RELAY_FRAME_TOO_LARGE', `a frame is at most ${this.#options.maxFrame} bytes`)
      )
    } else {
      this.#throttle.count(1, bytes.length)
      this.#connection.receive(bytes)
    }
  }
}

/** ws's own reasons to end a connection, in the relay's terms. */
function refusal (error: Error): RelayError {
  const code = (error as { code?: string }).code
  return code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH'
    ? new RelayError('RELAY_FRAME_TOO_LARGE', error.message, { cause: error })
    : new RelayError('RELAY_FRAME_INVALID', `websocket: ${messageOf(error)}`, { cause: error })
}

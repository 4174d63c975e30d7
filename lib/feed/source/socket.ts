import { messageOf } from '../../errors.ts'
import { NotAnEvent, type FeedEvent } from '../event.ts'
import type { Dial, End, Socket } from './dial.ts'
import { isEverything } from './filter.ts'
import type { Host } from './hosts.ts'
import { Watchdog } from './watchdog.ts'
import type { Frame, Protocol, RequestParts } from './wire.ts'

const LARGEST = 16 * 1024 * 1024 // bytes of a message: records are limited to 1 MB
const OPENING = 15_000 // ms
const BAD_FRAMES = 10 // in a row, after which a server is not worth listening to

/** Makes text of a compressed frame. @throws Error for a frame of another dictionary, or none at all */
export type Decode = (frame: Buffer) => string

/** Why there are no more events. */
export interface Ended {
  readonly reason: string
  /** `refused`: asking again the same way is of no use. `unfit`: ask another server. `lost`: ask again */
  readonly kind: 'refused' | 'unfit' | 'lost'
  /** The cursor is one that this server has no longer, by its own word */
  readonly isTooOld: boolean
}

export interface Heard {
  opened: () => void
  event: (event: FeedEvent) => void
  info: (frame: Frame & { kind: 'info' }) => void
  /** A frame that is no event */
  rejected: (frame: Buffer, reason: string) => void
  ended: (ended: Ended) => void
}

export interface FeedSocketParts extends Omit<RequestParts, 'host'> {
  readonly host: Host
  readonly protocol: Protocol
  readonly dial: Dial
  readonly decode: Decode | undefined
  readonly heard: Heard
}

/** A connection to a server: one wire's frames become events. It can be paused, is watched, and ends once. */
export class FeedSocket {
  /** The server's clock less ours, in ms, as it was told when the connection was opened */
  offset: number | undefined
  readonly #parts: FeedSocketParts
  readonly #socket: Socket
  readonly #watchdog: Watchdog
  #end: Pick<Ended, 'kind' | 'reason'> | undefined
  #bad = 0
  #isOver = false

  constructor (parts: FeedSocketParts) {
    this.#parts = parts
    const { url, headers, hello } = parts.protocol.request({ ...parts, host: parts.host.url })
    this.#watchdog = new Watchdog({
      ping: () => { this.#socket.ping() },
      dead: reason => { this.#terminate({ kind: 'unfit', reason }) },
      isFull: isEverything(parts.filter)
    })
    this.#socket = parts.dial(url, { headers, maxPayload: LARGEST, timeout: OPENING }, {
      opened: date => {
        if (this.#isOver) return
        if (date !== undefined) this.offset = date - Date.now()
        if (hello !== undefined) this.#socket.send(hello)
        this.#parts.heard.opened()
      },
      message: (data, isBinary) => { this.#read(data, isBinary) },
      pong: () => { this.#watchdog.pong() },
      closed: end => { this.#ended(end) }
    })
  }

  /** ms since 1970, by our clock: all that the server had sent until then has come */
  get answeredAt (): number | undefined { return this.#watchdog.answeredAt }

  pause (): void {
    this.#watchdog.pause()
    this.#socket.pause()
  }

  resume (): void {
    this.#watchdog.resume()
    this.#socket.resume()
  }

  /** Ends it; nothing is heard of it any more. */
  close (): void {
    this.#isOver = true
    this.#watchdog.close()
    this.#socket.terminate()
  }

  #read (data: Buffer, isBinary: boolean): void {
    if (this.#isOver || this.#end !== undefined) return
    this.#watchdog.event()
    const { decode, protocol, heard } = this.#parts
    let frame: Frame
    try {
      if (isBinary && decode === undefined) throw new NotAnEvent('a binary frame that was not asked for')
      frame = protocol.read(isBinary ? decode!(data) : data.toString())
    } catch (error) {
      heard.rejected(data, messageOf(error))
      if (++this.#bad === BAD_FRAMES) {
        this.#terminate({ kind: 'unfit', reason: `${BAD_FRAMES} frames in a row were no events` })
      }
      return
    }
    this.#bad = 0
    if (frame.kind === 'event') heard.event(frame.event)
    else if (frame.kind === 'info') heard.info(frame)
    else this.#end = { kind: 'lost', reason: `${frame.error}: ${frame.message}` }
  }

  #terminate (end: Pick<Ended, 'kind' | 'reason'>): void {
    this.#end ??= end
    this.#socket.terminate()
  }

  #ended (end: End): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#watchdog.close()
    this.#parts.heard.ended({
      ...this.#end ?? kindOf(end), isTooOld: end.refusal?.body.includes('"CursorTooOld"') === true
    })
  }
}

/**
 * 4xx but for those that are about now are final: it was the question that was wrong. So are 1007 and 1008, after our
 * hello.
 */
function kindOf ({ refusal, code, reason }: End): Pick<Ended, 'kind' | 'reason'> {
  if (refusal !== undefined) {
    const { status, body } = refusal
    const isFinal = status >= 400 && status < 500 && status !== 408 && status !== 429
    return { kind: isFinal ? 'refused' : 'lost', reason: `answered ${status}: ${body.trim().slice(0, 500)}` }
  }
  const isFinal = code === 1007 || code === 1008
  return {
    kind: isFinal ? 'refused' : 'lost', reason: code === undefined ? reason : `closed with ${code} ${reason}`.trim()
  }
}

import type { Log } from '../../log.ts'
import { positionOf, type FeedEvent } from '../event.ts'
import type { Gap } from '../pipeline/gap.ts'
import type { Position } from '../position.ts'
import type { Dial } from './dial.ts'
import type { Filter } from './filter.ts'
import { Hosts, type Host } from './hosts.ts'
import { firstEventAt } from './oldest.ts'
import { FeedSocket, type Decode, type Ended } from './socket.ts'
import { v1 } from './v1.ts'
import { v2 } from './v2.ts'

const REWIND = 5_000_000 // µs: times are not in order
const DAY = 86_400_000_000 // µs
const TIMES = 1e15 // cursors from here on are times, on both wires
const MAX_SILENCE = 60_000_000 // µs between what was had and the first event, beyond which something may be missing

/** How frames are compressed. */
export interface Compression {
  /** The dictionary's id to ask a host for. Rejects when it cannot be had: frames come as text then */
  dictionary: (host: Host) => Promise<number>
  decode: Decode
}

export interface SourceParts {
  readonly hosts: readonly Host[]
  readonly filter: Filter
  readonly dial: Dial
  readonly log: Log
  readonly compression?: Compression | undefined
  /** An event, and where the stream stands after it */
  take: (event: FeedEvent, position: Position) => void
  /** Events are missing. Those after it come once this has resolved. */
  gap: (gap: Gap) => Promise<void>
  /** A frame that is no event */
  rejected: (frame: Buffer, reason: string, host: Host) => void
}

export type SourceState = 'connecting' | 'connected' | 'refused' | 'closed'

/**
 * The stream of events, from whichever server has it. Where it stands is kept here; what is behind is asked for again.
 */
export class Source {
  state: SourceState = 'connecting'
  /** ms since 1970 at which an event last came, or the connection was opened */
  aliveAt = Date.now()
  /** Why there is no connection, if there is none */
  problem: string | undefined
  connections = 0
  readonly hosts: Hosts
  readonly #parts: SourceParts
  #position: Position | undefined
  #socket: FeedSocket | undefined
  #timer: NodeJS.Timeout | undefined
  #attempt = 0
  #firstAt: number | undefined
  #asked: number | undefined
  #byTime = false
  #tooOld: string | undefined
  #held: FeedEvent[] | undefined
  #isPaused = false
  #lag = Infinity

  constructor (parts: SourceParts) {
    this.#parts = parts
    this.hosts = new Hosts(parts.hosts)
  }

  /** @param position what was had; without one it begins with what happens from now on */
  start (position: Position | undefined): void {
    this.#position = position
    const last = this.#parts.hosts.find(({ url, wire }) => url === position?.host && wire === position.wire)
    if (last !== undefined) this.hosts.use(last)
    this.#connect()
  }

  /** What has come. Moves by the clock too, when the server has nothing to send. */
  get position (): Position | undefined {
    const { host, wire } = this.#at
    const now = this.#serverTime(this.#socket?.answeredAt)
    if (now === undefined || this.#held !== undefined || this.#isPaused) return this.#position
    const timeUs = now * 1000 - REWIND
    const position = this.#position ?? { host, wire, cursor: timeUs, timeUs }
    if (timeUs <= position.timeUs) return position
    return { ...position, timeUs, ...position.wire === 'v1' && { cursor: timeUs } }
  }

  pause (): void {
    this.#isPaused = true
    this.#socket?.pause()
  }

  resume (): void {
    this.#isPaused = false
    if (this.#held === undefined) this.#socket?.resume()
  }

  close (): void {
    this.state = 'closed'
    clearTimeout(this.#timer)
    this.#socket?.close()
  }

  get #at (): { host: string, wire: 'v1' | 'v2' } {
    return { host: this.hosts.current.url, wire: this.hosts.current.wire }
  }

  /** The server's clock when ours said `at`; by the events' own times when it did not tell it. */
  #serverTime (at: number | undefined): number | undefined {
    if (at === undefined) return undefined
    const { offset } = this.#socket!
    if (offset !== undefined) return Math.floor(at + offset - 1_000) // it tells whole seconds
    return this.#lag === Infinity ? undefined : Math.floor(at - this.#lag)
  }

  async #connect (): Promise<void> {
    const attempt = ++this.#attempt
    const host = this.hosts.current
    const { compression, dial, filter, log } = this.#parts
    this.#firstAt = undefined
    const dictionary = await compression?.dictionary(host).catch((error: unknown) => {
      log.warn({ host: host.url, err: error }, 'the feed’s dictionary cannot be had: frames come uncompressed')
      return undefined
    })
    if (this.state === 'closed') return
    this.#asked = this.#cursorFor(host)
    const isCurrent = (): boolean => attempt === this.#attempt
    this.#socket = new FeedSocket({
      host,
      protocol: host.wire === 'v1' ? v1 : v2,
      dial,
      filter,
      dictionary,
      decode: dictionary === undefined ? undefined : compression?.decode,
      cursor: this.#asked,
      heard: {
        opened: () => { this.#opened(host) },
        event: event => { if (isCurrent()) this.#event(event) },
        info: ({ isOutdated, message }) => {
          log.warn({ host: host.url }, `the feed’s server says: ${message}`)
          if (isOutdated) this.#tooOld = message
        },
        rejected: (frame, reason) => { this.#parts.rejected(frame, reason, host) },
        ended: ended => { if (isCurrent()) this.#ended(ended) }
      }
    })
    if (this.#isPaused) this.#socket.pause()
  }

  /** What to go on from there. By time on v1 and on another host; there, times carry. */
  #cursorFor ({ url, wire }: Host): number | undefined {
    if (this.#position === undefined) return undefined
    const { host, wire: last, cursor, timeUs } = this.#position
    return wire === 'v2' && last === 'v2' && host === url && !this.#byTime ? cursor : Math.max(0, timeUs - REWIND)
  }

  #opened (host: Host): void {
    this.state = 'connected'
    this.problem = undefined
    this.aliveAt = Date.now()
    this.connections++
    this.#parts.log.info(
      { host: host.url, wire: host.wire, cursor: this.#asked }, `the feed is connected to ${host.url}`
    )
    if (this.#position !== undefined || this.#socket!.offset === undefined) return
    // so that what happens before the first event is not lost when this process ends before it
    const timeUs = Math.floor((Date.now() + this.#socket!.offset) * 1000)
    this.#position = { host: host.url, wire: host.wire, cursor: timeUs, timeUs }
  }

  #event (event: FeedEvent): void {
    this.aliveAt = Date.now()
    this.#lag = Math.min(this.#lag, Date.now() - event.timeUs / 1000)
    if (this.#held !== undefined) this.#held.push(event)
    else if (this.#firstAt === undefined && this.#isLate(event)) this.#look(event)
    else this.#take(event)
  }

  /**
   * Whether a server that was asked for a sequence number begins before it: it counts anew, and what it sends is from
   * now on.
   */
  #isReset ({ seq }: FeedEvent): boolean {
    return this.hosts.current.wire === 'v2' && this.#asked! < TIMES && seq !== undefined && seq < this.#asked!
  }

  /** Whether the first event is later than what was asked for, so that some may be missing. */
  #isLate (event: FeedEvent): boolean {
    if (this.#position === undefined || this.#asked === undefined) return false
    return this.#isReset(event) ||
      this.#tooOld !== undefined || event.timeUs - this.#position.timeUs > REWIND + MAX_SILENCE
  }

  #take (event: FeedEvent): void {
    this.#firstAt ??= Date.now()
    this.#byTime = false
    const { host, wire } = this.#at
    const { cursor, timeUs } = positionOf(event, host, wire)
    // an event of the day after tomorrow must not take the cursor there
    const last = this.#position?.timeUs ?? 0
    const furthest = timeUs > Date.now() * 1000 + DAY ? last : Math.max(timeUs, last)
    this.#position = { host, wire, cursor: wire === 'v1' ? furthest : cursor, timeUs: furthest }
    this.#parts.take(event, this.#position)
  }

  /** Finds out whether events are missing, and whether another host has them. */
  async #look (first: FeedEvent): Promise<void> {
    const attempt = this.#attempt
    const { dial, log, filter, gap } = this.#parts
    const from = this.#position!
    this.#held = [first]
    this.#socket!.pause()
    const isTold = this.#tooOld !== undefined
    const isReset = this.#isReset(first)
    if (isReset) log.warn({ host: from.host }, 'the feed’s server counts anew: going on by time')
    const reason = this.#tooOld ?? 'the first event came later than what was asked for'
    const here = this.hosts.current
    // of a stream without a filter, what this host has is known
    const others = this.hosts.fit.filter(host => host !== here)
    const candidates = isTold || isReset || filter.collections.length + filter.dids.length === 0
      ? others
      : [here, ...others]
    let has: Host | undefined = isReset ? here : undefined
    for (const host of has === undefined ? candidates : []) {
      const at = await firstEventAt(host, Math.max(0, from.timeUs - REWIND), dial, undefined)
      if (at !== undefined && at - from.timeUs <= REWIND + MAX_SILENCE) {
        has = host
        break
      }
    }
    if (attempt !== this.#attempt || this.state === 'closed') return
    this.#tooOld = undefined
    if (has !== undefined && (has !== here || isReset)) {
      log.warn({ host: has.url }, `the feed goes on at ${has.url}, which has what ${here.url} has not`)
      this.#byTime = isReset
      this.#again(has)
      return
    }
    if (has === undefined) await gap({ from, to: positionOf(first, here.url, here.wire), foundAt: Date.now(), reason })
    if (attempt !== this.#attempt || this.#held === undefined) return
    const held = this.#held
    this.#held = undefined
    for (const event of held) this.#take(event)
    if (!this.#isPaused) this.#socket!.resume()
  }

  #again (host: Host): void {
    this.#held = undefined
    this.#socket!.close()
    this.hosts.use(host)
    this.#connect()
  }

  #ended ({ kind, reason, isTooOld }: Ended): void {
    this.#held = undefined
    this.state = 'connecting'
    this.problem = reason
    const lasted = this.#firstAt === undefined ? 0 : Date.now() - this.#firstAt
    const host = this.hosts.current
    if (isTooOld && !this.#byTime) { // by time it begins with the oldest it has, which shows how much is missing
      this.#byTime = true
      this.#tooOld = reason
      kind = 'lost'
    }
    const wait = this.hosts.failed(kind, reason, lasted)
    this.#parts.log.warn(
      { host: host.url, next: this.hosts.current.url, wait: Math.round(wait) }, `the feed lost ${host.url}: ${reason}`
    )
    if (this.hosts.fit.length === 0) {
      this.state = 'refused'
      this.#parts.log.error(
        { hosts: [...this.hosts.refusals.values()] }, 'every server of the feed refuses what it is asked for'
      )
      return
    }
    this.#timer = setTimeout(() => { this.#connect() }, wait)
  }
}

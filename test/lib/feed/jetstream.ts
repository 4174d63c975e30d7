import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { Refusal, admitV1, admitV2, cursorOf, optionsUpdate, type Wanted } from './jetstream-filter.ts'

export interface WireEvent {
  did: string
  time_us: number
  kind: string
  commit?: Record<string, unknown>
  [member: string]: unknown
}

interface Stored { seq: number, event: WireEvent, text: string }

interface Reader {
  socket: WebSocket
  wire: 'v1' | 'v2'
  wanted: Wanted
  isGreeted: boolean
  next: number
  zstd: boolean
}

export interface JetstreamOptions {
  /** Compresses a frame with the wire's dictionary; without one, compression is refused */
  compress?: (text: string, wire: 'v1' | 'v2') => Buffer
  /** The id of v2's dictionary, and its bytes */
  dictionary?: { id: number, bytes: Buffer }
  /** Events that a time goes back beyond what was asked for, as a server that begins with its segment does */
  segment?: number
  firstSeq?: number
}

/**
 * A Jetstream server of both wires with an invented network. What it does on every input is what the real one did (its
 * recorded conversations are the judge); beyond that it fails on command.
 */
export class Jetstream {
  /** Requests for an upgrade, in their order */
  readonly requests: string[] = []
  /** Answers upgrades with this in place of what is right */
  refusal: { status: number, body: string } | undefined
  /** Sends nothing, and does not answer pings */
  isDead = false
  /** Sends nothing, and answers pings */
  isSilent = false
  readonly #http: Server
  readonly #sockets: WebSocketServer
  readonly #options: JetstreamOptions
  readonly #readers = new Set<Reader>()
  readonly #connections = new Set<Socket>()
  #events: Stored[] = []
  #seq: number

  private constructor (options: JetstreamOptions) {
    this.#options = options
    this.#seq = options.firstSeq ?? 1
    this.#http = createServer((request, response) => {
      if (request.url?.startsWith('/xrpc/network.bsky.jetstream.getZstdDictionary') !== true ||
          options.dictionary === undefined) response.writeHead(404).end()
      else response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(options.dictionary.bytes)
    })
    this.#http.on('connection', socket => {
      this.#connections.add(socket)
      socket.on('close', () => this.#connections.delete(socket))
    })
    this.#sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: true,
      maxPayload: 10_000_000,
      autoPong: false,
      handleProtocols: offered => offered.has('xrpc.v1.json') ? 'xrpc.v1.json' : false
    })
    this.#http.on('upgrade', (request, socket, head) => { this.#upgrade(request, socket, head) })
  }

  static async start (options: JetstreamOptions = {}): Promise<Jetstream> {
    const server = new Jetstream(options)
    await new Promise<void>(resolve => { server.#http.listen(0, '127.0.0.1', resolve) })
    return server
  }

  get url (): string { return `ws://127.0.0.1:${(this.#http.address() as AddressInfo).port}` }

  get readers (): number { return this.#readers.size }

  get events (): WireEvent[] { return this.#events.map(({ event }) => event) }

  /** Something happens in the network. @returns its sequence number */
  push (event: WireEvent, text?: string): number {
    const seq = this.#seq++
    const { did, time_us: time, kind, ...rest } = event
    this.#events.push({ seq, event, text: text ?? JSON.stringify({ did, time_us: time, cursor: seq, kind, ...rest }) })
    for (const reader of this.#readers) this.#send(reader)
    return seq
  }

  /** Forgets what is older than a sequence number. */
  forget (seq: number): void { this.#events = this.#events.filter(event => event.seq >= seq) }

  /** Numbers anew, as a server does that was set up again; its events stay. */
  renumber (): void {
    this.#events = this.#events.map(({ event }, index) => ({
      seq: index + 1, event, text: JSON.stringify({ ...event, cursor: index + 1 })
    }))
    this.#seq = this.#events.length + 1
  }

  /** Sends everybody a frame that is none. */
  garble (frame: string | Buffer): void { for (const { socket } of this.#readers) socket.send(frame) }

  /** Sends everybody what it sent before, once more. */
  repeat (): void {
    for (const reader of this.#readers) {
      reader.next = 0
      this.#send(reader)
    }
  }

  /** Cuts all connections in the middle of a frame. */
  cut (): void {
    for (const socket of this.#connections) {
      socket.write(Buffer.from([0x81, 0x7e, 0x40, 0x00, 0x7b]))
      socket.destroySoon()
    }
  }

  /** Ends all connections as v2 ends one. */
  fail (error: string, message: string): void {
    for (const { socket } of this.#readers) {
      socket.send(JSON.stringify({ $type: 'error', error, message }))
      socket.close(1008, error)
    }
  }

  async close (): Promise<void> {
    for (const { socket } of this.#readers) socket.close(1001, 'server shutting down')
    for (const socket of this.#connections) socket.destroy()
    await new Promise(resolve => { this.#http.close(resolve) })
  }

  #upgrade (request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.requests.push(request.url!)
    socket.on('error', () => {})
    try {
      if (this.refusal !== undefined) throw new Refusal(this.refusal.status, this.refusal.body)
      const url = new URL(request.url!, 'http://host')
      const wire = url.pathname === '/subscribe'
        ? 'v1'
        : url.pathname === '/xrpc/network.bsky.jetstream.subscribeEvents'
          ? 'v2'
          : undefined
      if (wire === undefined) throw new Refusal(404, '404 page not found\n')
      const compression = { dictionary: this.#options.dictionary?.id, isPossible: this.#options.compress !== undefined }
      const { wanted, zstd } = wire === 'v1'
        ? admitV1(url.searchParams, request.headers, compression)
        : admitV2(url.searchParams, request.headers, compression)
      const { from, info } = this.#from(wire, url.searchParams.get('cursor'))
      if (wire === 'v2') delete request.headers['sec-websocket-extensions']
      this.#sockets.handleUpgrade(request, socket, head, socket => {
        const reader: Reader = {
          socket,
          wire,
          wanted,
          isGreeted: wire === 'v2' || url.searchParams.get('requireHello') !== 'true',
          next: from,
          zstd
        }
        this.#accept(reader)
        if (info !== undefined) {
          this.#write(reader, JSON.stringify({
            $type: 'message',
            payload: { $type: 'network.bsky.jetstream.subscribeEvents#info', name: 'OutdatedCursor', message: info }
          }))
        }
        this.#send(reader)
      })
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      const type = error.body.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8'
      socket.end(
        `HTTP/1.1 ${error.status} Refused\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Length: ` +
          `${Buffer.byteLength(error.body)}\r\n\r\n${error.body}`
      )
    }
  }

  /** The sequence number to begin with. @throws Refusal */
  #from (wire: 'v1' | 'v2', text: string | null): { from: number, info?: string } {
    const floor = this.#events[0]?.seq ?? this.#seq
    const cursor = cursorOf(wire, text)
    if (cursor === undefined) return { from: this.#seq }
    if (cursor < 1e15) {
      if (cursor >= this.#seq) return { from: this.#seq }
      if (cursor >= floor || wire === 'v1') return { from: Math.max(cursor, floor) }
      const message =
        `subscribe: cursor too old: cursor ${cursor} below lookback floor ${floor}; re-backfill from your last seq`
      throw new Refusal(400, JSON.stringify({ error: 'CursorTooOld', message }))
    }
    const index = this.#events.findIndex(({ event }) => event.time_us >= cursor)
    if (index === -1) return { from: this.#seq }
    if (index === 0 && floor > (this.#options.firstSeq ?? 1)) {
      return { from: floor, info: `requested timestamp cursor below retention floor; starting at seq ${floor}` }
    }
    return { from: this.#events[Math.max(0, index - (this.#options.segment ?? 0))]!.seq }
  }

  #accept (reader: Reader): void {
    const { socket, wire } = reader
    this.#readers.add(reader)
    socket.on('close', () => this.#readers.delete(reader))
    socket.on('error', () => {})
    socket.on('ping', data => { if (!this.isDead) socket.pong(data) })
    socket.on('message', data => {
      if (wire === 'v2') return socket.close(1008, 'subscriber messages are not supported')
      try {
        const wanted = optionsUpdate(String(data))
        if (wanted === undefined) return
        reader.wanted = wanted
        reader.isGreeted = true
        this.#send(reader)
      } catch (error) {
        const { status, message } = error as Refusal
        socket.close(status, message)
      }
    })
  }

  #send (reader: Reader): void {
    if (!reader.isGreeted || this.isDead || this.isSilent) return
    for (let index = this.#indexOf(reader.next); index < this.#events.length; index++) {
      const { seq, event, text } = this.#events[index]!
      reader.next = seq + 1
      if (!reader.wanted.wants(event)) continue
      const frame = reader.wire === 'v1' ? text : frameOf(seq, event)
      if (frame === undefined || (reader.wanted.maxSize > 0 && Buffer.byteLength(frame) > reader.wanted.maxSize)) {
        continue
      }
      this.#write(reader, frame)
    }
  }

  #indexOf (seq: number): number {
    const first = this.#events[0]?.seq
    return first === undefined ? 0 : Math.max(0, seq - first)
  }

  #write ({ socket, zstd, wire }: Reader, frame: string): void {
    socket.send(zstd ? this.#options.compress!(frame, wire) : frame)
  }
}

/** An event as v2 frames it. */
function frameOf (seq: number, { did, time_us: time, kind, ...rest }: WireEvent): string {
  const digits = String(time % 1_000_000).padStart(6, '0')
  const at = `${new Date(Math.floor(time / 1e6) * 1000).toISOString().slice(0, 19)}.${digits}Z`
  const body = kind === 'commit' ? rest.commit : { [kind]: rest[kind] }
  return JSON.stringify({
    $type: 'message',
    payload: { $type: `network.bsky.jetstream.subscribeEvents#${kind}`, seq, did, time: at, ...body as object }
  })
}

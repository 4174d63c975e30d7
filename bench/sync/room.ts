import type { Client, HistoryOptions } from './client.ts'
import type { Figures } from './meter.ts'
import type { Server } from './server.ts'
import type { ServerKind } from './servers.ts'
import { inBatches, percentile, sleep } from './statistics.ts'
import type { Wire } from './wire.ts'

const JOINING_AT_ONCE = 25
const SETTLE = 1000 // ms before the clock starts

export interface RoomOptions extends Partial<HistoryOptions> { clients: number, edits: number }

/** One document and its clients. The first makes it; the first `writers` of them write. */
export class Room {
  readonly clients: Client[]
  readonly documentId: string
  /** A client of the same document that is neither connected nor counted. */
  readonly newcomer: () => Client
  /**
   * ms from when an edit was due until another client had it, for each delivery; and until its writer knew it was
   * stored.
   */
  deliveries: number[] = []
  acknowledgements: number[] = []
  delivered = 0
  acknowledged = 0
  sent = 0
  readonly #sentAt: Float64Array
  readonly #edits: number
  readonly #writers: number
  #onAcknowledged = (): void => {}
  /** Clients whose deliveries are not counted. */
  readonly #slow = new Set<Client>()

  static async open (kind: ServerKind, server: Server, options: RoomOptions): Promise<Room> {
    const history = kind.protocol.history({ seed: 200, writers: 1, blob: 0, ...options })
    const newcomer = (): Client => kind.protocol.client(server.url, history)
    const clients = Array.from({ length: options.clients }, newcomer)
    const [maker, ...others] = clients
    await maker!.open()
    await maker!.create()
    await inBatches(others, JOINING_AT_ONCE, async client => {
      await client.open()
      await client.join()
    })
    await sleep(SETTLE)
    return new Room(clients, newcomer, options, history.id)
  }

  private constructor (
    clients: Client[], newcomer: () => Client, { edits, writers = 1 }: RoomOptions, documentId: string
  ) {
    this.documentId = documentId
    this.clients = clients
    this.newcomer = newcomer
    this.#edits = edits
    this.#writers = writers
    this.#sentAt = new Float64Array(edits)
    for (const client of clients) {
      client.onEdit = edit => { this.#deliver(client, edit) }
      client.onAcknowledged = edit => {
        this.acknowledgements.push(performance.now() - this.#sentAt[edit]!)
        this.acknowledged++
        this.#onAcknowledged()
      }
    }
  }

  get wires (): Wire[] { return this.clients.map(({ wire }) => wire) }
  get expected (): number { return this.sent * (this.clients.length - 1 - this.#slow.size) }
  get isSettled (): boolean { return this.delivered >= this.expected && this.acknowledged >= this.sent }

  #deliver (client: Client, edit: number): void {
    if (this.#slow.has(client)) return
    this.delivered++
    this.deliveries.push(performance.now() - this.#sentAt[edit]!)
  }

  /** A client stops reading. */
  stall (client: Client): void {
    this.#slow.add(client)
    client.wire.pause()
  }

  #send (due: number): void {
    const edit = this.sent++
    this.#sentAt[edit] = due
    this.clients[edit % this.#writers]!.edit(edit)
  }

  /**
   * Sends so many edits at so many a second, whatever the server does. Late ones count from when they were due. Throws
   * when there are no more.
   */
  async type (edits: number, perSecond: number): Promise<void> {
    const start = performance.now()
    if (this.sent + edits > this.#edits) throw new RangeError('no edits are left')
    for (let n = 0; n < edits; n++) {
      const due = start + n * 1000 / perSecond
      while (performance.now() < due) await sleep(due - performance.now())
      this.#send(due)
    }
  }

  /** Sends an edit whenever fewer than so many wait for their acknowledgement. @param ms at most */
  async typeAhead (window: number, ms: number): Promise<void> {
    const end = performance.now() + ms
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#onAcknowledged = () => {
        while (this.sent - this.acknowledged < window && this.sent < this.#edits && performance.now() < end) {
          this.#send(performance.now())
        }
        if (this.acknowledged < this.#edits) return
        clearTimeout(timer)
        resolve()
      }
      this.#onAcknowledged()
    })
  }

  /** Waits until every edit is everywhere. @param ms at most */
  async settle (ms: number): Promise<void> {
    const end = performance.now() + ms
    while (!this.isSettled && performance.now() < end) await sleep(5)
  }

  /** Forgets latencies so far. */
  reset (): void {
    this.deliveries = []
    this.acknowledgements = []
  }

  latencies (): Figures {
    return {
      'delivered p50, ms': percentile(this.deliveries, 0.5),
      'delivered p99, ms': percentile(this.deliveries, 0.99),
      'acknowledged p50, ms': percentile(this.acknowledgements, 0.5),
      'acknowledged p99, ms': percentile(this.acknowledgements, 0.99)
    }
  }

  /** What must be 0: deliveries that did not come, errors, sockets that closed. */
  troubles (): Figures {
    const faults = this.clients.reduce((sum, { faults }) => sum + faults, 0)
    const dropped = this.wires.filter(({ closed }) => closed !== undefined).length
    return { missing: this.expected - this.delivered, errors: faults, 'sockets dropped': dropped }
  }
}

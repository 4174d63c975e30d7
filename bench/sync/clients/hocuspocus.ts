import { randomInt } from 'node:crypto'
import { ByteReader, uintLength, writeUint } from '../../../lib/automerge/format/leb128.ts'
import type { Client, Protocol, SmallDocument } from '../client.ts'
import { within } from '../statistics.ts'
import { Wire } from '../wire.ts'
import { hocuspocusHistory, type History } from './hocuspocus-history.ts'
import { yjsDocuments } from './yjs.ts'

// Hocuspocus's messages (its `types.ts`): the document's name, a type, and what the type says. Those of `sync` are
// y-protocols' own.
const TYPES = { sync: 0, awareness: 1, auth: 2, syncReply: 4, syncStatus: 8 } as const
const SYNC = { step1: 0, step2: 1, update: 2 } as const
const AUTH = { token: 0, denied: 1, authenticated: 2 } as const
const NOTHING = Uint8Array.of(0) // an empty state vector
const NO_UPDATE = Uint8Array.of(0, 0)
const WAIT = 60_000 // ms

const invalid = (problem: string): Error => new Error(`not a message of Hocuspocus: ${problem}`)

/**
 * A client of Hocuspocus that applies nothing: it knows edits by the clocks of their updates. Receivers answer nothing.
 */
export class HocuspocusClient implements Client {
  readonly wire: Wire
  faults = 0
  onEdit: (edit: number) => void = () => {}
  onAcknowledged: (edit: number) => void = () => {}
  readonly #history: History
  readonly #clientId = randomInt(2 ** 31)
  readonly #newest: Int32Array
  /** Own edits that the server has not confirmed. It confirms in order. */
  readonly #sent: number[] = []
  readonly #waits = new Map<string, () => void>()
  #signals = 0

  constructor (url: string, history: History) {
    this.#history = history
    this.#newest = new Int32Array(history.writers).fill(-1)
    this.wire = new Wire(url, message => { this.#receive(message) })
  }

  async open (): Promise<void> { await this.wire.open() }

  async create (): Promise<void> { await this.push({ id: this.#history.id, content: this.#history.seed }) }

  async join (): Promise<void> { await this.#attach(this.#history.id) }

  async push ({ id, content }: SmallDocument): Promise<void> {
    await this.#attach(id)
    const done = this.#until(`status ${id}`)
    this.#send(id, TYPES.sync, SYNC.update, content)
    await done
  }

  edit (edit: number): void {
    this.#newest[edit % this.#history.writers] = edit // it comes back
    this.#sent.push(edit)
    this.#send(this.#history.id, TYPES.sync, SYNC.update, this.#history.updates[edit]!)
  }

  signal (): void {
    const state = Buffer.from(JSON.stringify({
      user: { name: 'somebody', color: '#7f5af0' }, cursor: { from: 1024, to: 1031 }
    }))
    const update = join(1, this.#clientId, ++this.#signals, state)
    this.#send(this.#history.id, TYPES.awareness, update)
  }

  async #attach (id: string): Promise<void> {
    const authenticated = this.#until(`auth ${id}`)
    this.#send(id, TYPES.auth, AUTH.token, Buffer.from('token'))
    await authenticated
    const synced = this.#until(`sync ${id}`)
    this.#send(id, TYPES.sync, SYNC.step1, NOTHING)
    await synced
  }

  async #until (what: string): Promise<void> {
    await within(new Promise<void>(resolve => { this.#waits.set(what, resolve) }), WAIT, what)
  }

  #done (what: string): boolean {
    this.#waits.get(what)?.()
    return this.#waits.delete(what)
  }

  #send (id: string, ...fields: Array<number | Uint8Array>): void { this.wire.send(join(Buffer.from(id), ...fields)) }

  #receive (bytes: Buffer): void {
    const reader = new ByteReader(bytes, invalid)
    const id = Buffer.from(reader.prefixed('its document')).toString()
    switch (reader.uint('its type')) {
      case TYPES.sync:
      case TYPES.syncReply:
        this.#receiveSync(id, reader.uint('its step'), reader.prefixed('an update'))
        break
      case TYPES.auth:
        if (reader.uint('its answer') !== AUTH.authenticated) this.faults++
        else this.#done(`auth ${id}`)
        break
      case TYPES.syncStatus:
        if (!this.#done(`status ${id}`) && this.#sent.length > 0) this.onAcknowledged(this.#sent.shift()!)
    }
  }

  #receiveSync (id: string, step: number, update: Uint8Array): void {
    if (step === SYNC.step1) this.#send(id, TYPES.sync, SYNC.step2, NO_UPDATE)
    else this.#take(update)
    if (step === SYNC.step2) this.#done(`sync ${id}`)
  }

  #take (update: Uint8Array): void {
    const { writers } = this.#history
    for (const edit of this.#history.editsIn(update)) {
      const writer = edit % writers
      const newest = this.#newest[writer]!
      for (let n = newest === -1 ? writer : newest + writers; n <= edit; n += writers) this.onEdit(n)
      if (edit > newest) this.#newest[writer] = edit
    }
  }
}

/** Numbers as LEB128, byte strings with their length in front. */
function join (...fields: Array<number | Uint8Array>): Uint8Array {
  return Buffer.concat(fields.flatMap(field => {
    const value = typeof field === 'number' ? field : field.length
    const head = Buffer.alloc(uintLength(value))
    writeUint(head, 0, value)
    return typeof field === 'number' ? [head] : [head, field]
  }))
}

export const hocuspocus: Protocol<History> = {
  history: hocuspocusHistory,
  client: (url, history) => new HocuspocusClient(url, history),
  smallDocuments: yjsDocuments
}

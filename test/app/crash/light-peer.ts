import { once } from 'node:events'
import * as Automerge from '@automerge/automerge'
import { WebSocket } from 'ws'
import type { DocumentId } from '../../../lib/ids.ts'
import { decodeCbor, type CborMap } from '../../../lib/wire/cbor-decode.ts'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'

export interface Fields { [key: string]: unknown }

/** Told of every set of heads that the relay says it has. */
export type OnHeads = (id: DocumentId, heads: Automerge.Heads) => void

interface Replica {
  doc: Automerge.Doc<Fields>
  sync: Automerge.SyncState
  /** What the relay said last that it has; undefined before. */
  relay: Automerge.Heads | undefined
  /** Edits since the relay had all. */
  behind: number
}

let count = 0

/**
 * A peer that is Automerge's own sync on a WebSocket and nothing more, so that it says what the relay acknowledged and
 * edits as fast as it can. What it has of its documents it keeps over connections.
 */
export class LightPeer {
  readonly documents = new Map<DocumentId, Replica>()
  readonly actor = Automerge.getActorId(Automerge.init())
  readonly #id = `light-${process.pid}-${++count}`
  readonly #onHeads: OnHeads
  #socket: WebSocket | undefined
  #relayId = ''
  #wake: Array<() => void> = []

  constructor (onHeads: OnHeads) {
    this.#onHeads = onHeads
  }

  get open (): boolean { return this.#socket?.readyState === WebSocket.OPEN }

  /** Connects, joins and asks for what it has. */
  async connect (url: string): Promise<void> {
    const socket = new WebSocket(url.replace('http', 'ws'))
    this.#socket = socket
    let cause: Error | undefined
    socket.on('error', error => { cause = error }) // a killed relay; `close` follows
    const joined = new Promise<void>((resolve, reject) => {
      socket.on('message', (bytes: Buffer) => { if (this.#receive(bytes) === 'peer') resolve() })
      socket.once('close', () => {
        reject(new Error('closed before it had joined', { cause }))
        this.#wakeAll()
      })
    })
    await Promise.race([once(socket, 'open'), joined])
    socket.send(encodeCbor({ type: 'join', senderId: this.#id, peerMetadata: {}, supportedProtocolVersions: ['1'] }))
    await joined
    for (const [id, replica] of this.documents) {
      Object.assign(replica, { sync: Automerge.initSyncState(), relay: undefined, behind: 0 })
      this.#send(id, replica)
    }
  }

  /** Resolves when nothing more will come. */
  async close (): Promise<void> {
    const socket = this.#socket
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return
    const closed = once(socket, 'close')
    socket.close()
    await closed
  }

  /** Changes a document, making it if it is new, once for each of these, and sends that. */
  edit (id: DocumentId, edits: Fields[]): void {
    const replica = this.#replica(id)
    for (const fields of edits) replica.doc = Automerge.change(replica.doc, doc => { Object.assign(doc, fields) })
    replica.behind += edits.length
    this.#send(id, replica)
  }

  /** Waits until no more than so many edits of a document are unanswered, or the connection is gone. */
  async within (id: DocumentId, window: number): Promise<void> {
    while (this.open && this.#replica(id).behind > window) {
      await new Promise<void>(resolve => { this.#wake.push(resolve) })
    }
  }

  /** Asks for a document; resolves with it when it is what the relay has, or empty when that has none. */
  async fetch (id: DocumentId): Promise<Automerge.Doc<Fields>> {
    const replica = this.#replica(id)
    this.#send(id, replica)
    while (replica.relay === undefined || String(replica.relay) !== String(Automerge.getHeads(replica.doc))) {
      if (!this.open) throw new Error(`closed while ${id} was fetched`)
      await new Promise<void>(resolve => { this.#wake.push(resolve) })
    }
    return replica.doc
  }

  #replica (id: DocumentId): Replica {
    let replica = this.documents.get(id)
    if (replica === undefined) {
      replica = {
        doc: Automerge.init<Fields>({ actor: this.actor }),
        sync: Automerge.initSyncState(),
        relay: undefined,
        behind: 0
      }
      this.documents.set(id, replica)
    }
    return replica
  }

  #receive (bytes: Buffer): unknown {
    const frame = decodeCbor(bytes) as CborMap
    if (frame['type'] === 'peer') this.#relayId = String(frame['senderId'])
    const id = frame['documentId'] as DocumentId
    if (frame['type'] === 'sync' || frame['type'] === 'request') {
      const replica = this.#replica(id)
      const data = frame['data'] as Uint8Array
      replica.relay = Automerge.decodeSyncMessage(data).heads
      this.#onHeads(id, replica.relay)
      const [doc, sync] = Automerge.receiveSyncMessage(replica.doc, replica.sync, data)
      Object.assign(replica, { doc, sync })
      if (String(replica.relay) === String(Automerge.getHeads(doc))) replica.behind = 0
      this.#send(id, replica)
    } else if (frame['type'] === 'doc-unavailable') {
      this.#replica(id).relay = []
    }
    this.#wakeAll()
    return frame['type']
  }

  #send (id: DocumentId, replica: Replica): void {
    const [sync, data] = Automerge.generateSyncMessage(replica.doc, replica.sync)
    replica.sync = sync
    if (data === null || !this.open) return
    const type = Automerge.getHeads(replica.doc).length === 0 ? 'request' : 'sync'
    this.#socket!.send(encodeCbor({ type, senderId: this.#id, targetId: this.#relayId, documentId: id, data }))
  }

  #wakeAll (): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}

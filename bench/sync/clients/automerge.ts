import { randomBytes } from 'node:crypto'
import * as Automerge from '@automerge/automerge'
import { decodeCbor, type CborMap } from '../../../lib/wire/cbor-decode.ts'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'
import { FLAGS, decodeSyncMessage, encodeSyncMessage, type SyncMessage } from '../../../lib/wire/sync-message.ts'
import { bloomOf } from '../bloom.ts'
import type { Client, Protocol, SmallDocument } from '../client.ts'
import { within } from '../statistics.ts'
import { Wire } from '../wire.ts'
import { automergeDocuments, automergeHistory, type History } from './automerge-history.ts'
import { Replica } from './automerge-replica.ts'

const WAIT = 60_000 // ms
const CURSOR = encodeCbor({ user: 'somebody', cursor: { from: 1024, to: 1031 }, color: '#7f5af0' })
const NO_FILTER = new Uint8Array(0)

interface Push { document: SmallDocument, isSent: boolean, resolve: () => void }

/**
 * A peer of automerge-repo's protocol that applies nothing: it knows changes by their checksums, and answers each
 * message that brought some with the heads it has now, as Automerge's own sync does. Edits are sent at once, where
 * automerge-repo's client holds them back for up to 100 ms.
 */
export class AutomergeClient implements Client {
  readonly wire: Wire
  faults = 0
  onEdit: (edit: number) => void = () => {}
  onAcknowledged: (edit: number) => void = () => {}
  readonly #history: History
  readonly #replica: Replica
  readonly #id = `bench-${randomBytes(6).toString('hex')}`
  #server = ''
  #signals = 0
  #version: 1 | 2 = 1 // until the server says what it reads
  /** The server's heads when all of them were here last. */
  #shared: string[] = []
  #seeding: { doc: Automerge.Doc<unknown>, state: Automerge.SyncState } | undefined
  #proceed = () => {}
  readonly #pushes = new Map<string, Push>()

  constructor (url: string, history: History) {
    this.#history = history
    this.#replica = new Replica(history, () => { this.#proceed() }, edit => { this.onEdit(edit) })
    this.wire = new Wire(url, message => { this.#receive(message) })
  }

  async open (): Promise<void> {
    await this.wire.open()
    const greeted = new Promise<void>(resolve => { this.#proceed = resolve })
    this.wire.send(encodeCbor({
      type: 'join', senderId: this.#id, peerMetadata: { isEphemeral: true }, supportedProtocolVersions: ['1']
    }))
    await within(greeted, WAIT, 'the handshake')
  }

  async create (): Promise<void> {
    this.#seeding = { doc: Automerge.load(this.#history.seed), state: Automerge.initSyncState() }
    const done = new Promise<void>(resolve => { this.#proceed = resolve })
    this.#seed()
    await within(done, WAIT * 3, 'the first sync')
    Automerge.free(this.#seeding.doc)
    this.#seeding = undefined
    this.#replica.takeSeed()
    this.#shared = [this.#history.seedHead]
  }

  async join (ms = WAIT): Promise<void> {
    const done = new Promise<void>(resolve => { this.#proceed = resolve })
    this.#sync('request', this.#history.id, { heads: [], have: [{ lastSync: [], bloom: NO_FILTER }] })
    await within(done, ms, 'a document')
  }

  edit (edit: number): void {
    this.#replica.make(edit)
    this.#say([], [this.#history.changes[edit]!])
  }

  signal (): void {
    this.#send({
      type: 'ephemeral', documentId: this.#history.id, count: ++this.#signals, sessionId: this.#id, data: CURSOR
    })
  }

  async push (document: SmallDocument): Promise<void> {
    const done = new Promise<void>(resolve => { this.#pushes.set(document.id, { document, isSent: false, resolve }) })
    this.#offer(document, [])
    await within(done, WAIT, 'a confirmation')
    this.#pushes.delete(document.id)
  }

  #offer ({ id, head }: SmallDocument, changes: Uint8Array[], version: 1 | 2 = 1): void {
    this.#sync('sync', id, { version, heads: [head!], have: [{ lastSync: [], bloom: bloomOf([head!]) }], changes })
  }

  #seed (): void {
    const { doc, state } = this.#seeding!
    const [next, message] = Automerge.generateSyncMessage(doc, state)
    this.#seeding!.state = next
    const shared = (): string => String(Automerge.decodeSyncState(Automerge.encodeSyncState(next)).sharedHeads)
    if (message !== null) this.#send({ type: 'sync', documentId: this.#history.id, data: message })
    else if (shared() === this.#history.seedHead) this.#proceed()
  }

  #receive (bytes: Buffer): void {
    const frame = decodeCbor(bytes) as CborMap
    if (frame['type'] === 'sync' || frame['type'] === 'request') {
      this.#receiveSync(frame['documentId'] as string, frame['data'] as Uint8Array)
    } else if (frame['type'] === 'peer') {
      this.#server = frame['senderId'] as string
      this.#proceed()
    } else if (frame['type'] !== 'ephemeral') this.faults++
  }

  #receiveSync (id: string, data: Uint8Array): void {
    if (this.#seeding !== undefined) {
      const [doc, state] = Automerge.receiveSyncMessage(this.#seeding.doc, this.#seeding.state, data)
      this.#seeding = { doc, state }
      this.#seed()
      return
    }
    const message = decodeSyncMessage(data)
    if (message.flags !== undefined) this.#version = 2
    const push = this.#pushes.get(id)
    if (push !== undefined) {
      if (message.heads[0] === push.document.head) push.resolve()
      else if (!push.isSent) {
        push.isSent = true
        // who tells no flags does not read whole documents
        const { content, changes } = push.document
        if (message.flags === undefined) this.#offer(push.document, changes!)
        else this.#offer(push.document, [content], 2)
      }
    } else if (id === this.#history.id) this.#answer(message) // else something more about a document that was pushed
  }

  #answer ({ heads, need, changes }: SyncMessage): void {
    for (const bytes of changes) this.#replica.take(bytes, heads)
    const missing = this.#replica.missing(heads)
    if (missing.length === 0) this.#shared = heads
    for (const edit of this.#replica.confirm(heads)) this.onAcknowledged(edit)
    const wanted = need.map(hash => this.#history.changeOf(hash)).filter(change => change !== undefined)
    if (changes.length > 0 || missing.length > 0 || wanted.length > 0) this.#say(missing, wanted)
  }

  /** A message as Automerge makes it: what is lacking here, or a filter of what the server has not said it has. */
  #say (need: string[], changes: Uint8Array[]): void {
    const have = need.length > 0 ? [] : [{ lastSync: this.#shared, bloom: bloomOf(this.#replica.unconfirmed()) }]
    this.#sync('sync', this.#history.id, { heads: this.#replica.heads(), need, have, changes })
  }

  #sync (
    type: 'sync' | 'request', documentId: string, message: Pick<SyncMessage, 'heads' | 'have'> & Partial<SyncMessage>
  ): void {
    const data = encodeSyncMessage({
      version: this.#version, need: [], changes: [], flags: FLAGS.supportsSyncReset, ...message
    })
    this.#send({ type, documentId, data })
  }

  #send (frame: CborMap): void {
    this.wire.send(encodeCbor({ ...frame, senderId: this.#id, targetId: this.#server }))
  }
}

export const automerge: Protocol<History> = {
  history: automergeHistory,
  client: (url, history) => new AutomergeClient(url, history),
  smallDocuments: automergeDocuments
}

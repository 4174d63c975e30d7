import { createHash } from 'node:crypto'
import * as Automerge from '@automerge/automerge'
import { Repo, type DocHandle, type DocumentId as RepoDocumentId, type PeerId } from '@automerge/automerge-repo'
import { isOneDocument } from '../automerge/chunk.ts'
import type { AutomergePool } from '../automerge/pool.ts'
import { RelayError, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { StorageFolder } from '../storage/folder.ts'
import { PeerConnection, type ConnectionEvents, type ConnectionLimits, type Self } from './connection.ts'
import type { Connection, EngineStats, SyncEngine, Transport } from './engine.ts'
import { EphemeralRelay } from './ephemeral.ts'
import type { EphemeralFrame, FrameType, SyncFrame, UnavailableFrame } from './frame.ts'
import { RepoNetwork } from './repo-network.ts'
import { RepoStorage } from './repo-storage.ts'
import { checkSyncMessage } from './sync-message.ts'

/** What the engine reports; the relay's metrics are one. */
export interface EngineMeter {
  messageIn (type: FrameType | 'invalid', bytes: number): void
  messageOut (type: FrameType, bytes: number): void
  syncLatency (seconds: number): void
  refused (code: RelayError['code']): void
}

export interface RepoEngineOptions {
  storage: StorageFolder
  automerge: AutomergePool
  limits: ConnectionLimits
  meter: EngineMeter
  log: Log
}

const LOADED = ['ready', 'unavailable', 'requesting']

/** The sync engine with automerge-repo's `Repo` inside. */
export class RepoEngine implements SyncEngine, ConnectionEvents {
  readonly #options: RepoEngineOptions
  readonly #self: Self
  readonly #repo: Repo
  readonly #network: RepoNetwork
  readonly #storage: RepoStorage
  readonly #connections = new Set<PeerConnection>()
  readonly #ephemeral = new EphemeralRelay()
  readonly #listeners = new Set<(id: DocumentId) => void>()
  /** Documents the repo has loaded; `true` once their changes are being watched. */
  readonly #loaded = new Map<DocumentId, true | Promise<unknown>>()
  /** When changes came in that their sender has not been answered: connection key and document. */
  readonly #unanswered = new Map<string, number>()
  #count = 0
  #closing = false

  constructor (options: RepoEngineOptions) {
    const { storage, log } = options
    this.#options = options
    this.#self = { peerId: `relay-${storage.id}`, metadata: { storageId: storage.id, isEphemeral: false } }
    this.#network = new RepoNetwork((peer, id) => { this.#answered(peer, id) })
    this.#storage = new RepoStorage(storage, log)
    this.#repo = new Repo({
      network: [this.#network],
      storage: this.#storage,
      peerId: this.#self.peerId as PeerId,
      // a document is offered only to those who ask for it by id
      shareConfig: { announce: async () => false, access: async () => true }
    })
    this.#closeOnError()
  }

  connect (transport: Transport): Connection {
    const connection = new PeerConnection(`connection-${++this.#count}`, transport, this.#self, this.#options.limits, this)
    this.#connections.add(connection)
    if (this.#closing) connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    return connection
  }

  async snapshot (id: DocumentId): Promise<Uint8Array | null> {
    await this.#flush(id)
    const chunks = await this.#options.storage.chunks(id)
    if (chunks.length === 0) return null
    return chunks.length === 1 && isOneDocument(chunks[0]!) ? chunks[0]! : await this.#options.automerge.compact(chunks)
  }

  async merge (id: DocumentId, chunks: Uint8Array[]): Promise<void> {
    const { storage, automerge } = this.#options
    const incoming = Buffer.concat(chunks)
    await this.#flush(id)
    const stored = await storage.chunks(id)
    if (stored.length === 0) await automerge.inspect([incoming])
    else if (!await automerge.adds(stored, [incoming])) return
    await storage.write([id, 'snapshot', createHash('sha256').update(incoming).digest('hex')], incoming)
    const loaded = this.#loaded.get(id)
    if (loaded === undefined) {
      this.#changed(id)
    } else {
      await loaded
      this.#handle(id)?.update(document => Automerge.loadIncremental(document, incoming))
    }
  }

  onChange (listener: (id: DocumentId) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  stats (): EngineStats {
    let peers = 0
    for (const connection of this.#connections) if (connection.open) peers++
    return { connections: this.#connections.size, peers, documents: this.#loaded.size }
  }

  disconnect (): void {
    this.#closing = true
    for (const connection of this.#connections) connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
  }

  async close (): Promise<void> {
    this.disconnect()
    this.#storage.giveUp()
    await this.#repo.flush([...this.#loaded.keys()].filter(id => this.#handle(id)?.isReady()) as unknown as RepoDocumentId[])
    if (this.#storage.failure !== undefined) throw this.#storage.failure
  }

  joined (peer: PeerConnection): void {
    this.#options.log.debug({ peer: peer.key, peerId: peer.peerId }, 'peer joined')
    this.#network.add(peer)
  }

  frame (peer: PeerConnection, frame: SyncFrame | UnavailableFrame | EphemeralFrame): void {
    const { documentId: id } = frame
    if (frame.type === 'ephemeral') {
      this.#ephemeral.pass(peer, frame)
      return
    }
    if (frame.type !== 'doc-unavailable') {
      this.#ephemeral.follow(peer, id)
      if (checkSyncMessage(frame.data)) this.#unanswered.set(`${peer.key} ${id}`, performance.now())
    }
    const loaded = this.#load(id)
    if (loaded === true) this.#network.deliver(peer, frame)
    else loaded.then(() => { if (peer.open) this.#network.deliver(peer, frame) })
  }

  gone (peer: PeerConnection): void {
    this.#connections.delete(peer)
    this.#network.remove(peer)
    for (const id of this.#ephemeral.leave(peer)) this.#unanswered.delete(`${peer.key} ${id}`)
  }

  received (type: FrameType | 'invalid', bytes: number): void { this.#options.meter.messageIn(type, bytes) }
  sent (type: FrameType, bytes: number): void { this.#options.meter.messageOut(type, bytes) }

  refused (peer: PeerConnection, error: RelayError): void {
    const { log, meter } = this.#options
    meter.refused(error.code)
    if (error.code === 'RELAY_CLOSING') return
    const level = error.code === 'RELAY_INTERNAL' ? 'error' : 'warn'
    log[level]({ peer: peer.key, peerId: peer.peerId, code: error.code, err: error.cause }, `peer closed: ${error.message}`)
  }

  #handle (id: DocumentId): DocHandle<unknown> | undefined {
    return this.#repo.handles[id as unknown as RepoDocumentId]
  }

  /** Has the repo load a document and watches it, before the first message reaches it: no change goes unseen. */
  #load (id: DocumentId): true | Promise<unknown> {
    const known = this.#loaded.get(id)
    if (known !== undefined) return known
    const loading = this.#repo.find(id as unknown as RepoDocumentId, { allowableStates: LOADED }).then(handle => {
      handle.on('heads-changed', () => { this.#changed(id) })
      this.#loaded.set(id, true)
    }, error => {
      this.#loaded.delete(id)
      this.#options.log.error({ documentId: id, err: error }, `document not loaded: ${messageOf(error)}`)
    })
    this.#loaded.set(id, loading)
    return loading
  }

  async #flush (id: DocumentId): Promise<void> {
    await this.#loaded.get(id)
    if (this.#handle(id)?.isReady()) await this.#repo.flush([id as unknown as RepoDocumentId])
  }

  #changed (id: DocumentId): void {
    for (const listener of this.#listeners) listener(id)
  }

  #answered (peer: PeerConnection, id: DocumentId): void {
    const key = `${peer.key} ${id}`
    const since = this.#unanswered.get(key)
    if (since === undefined) return
    this.#unanswered.delete(key)
    this.#options.meter.syncLatency((performance.now() - since) / 1000)
  }

  /** The repo prints a message it failed on to the console and goes on; here its sender is closed. */
  #closeOnError (): void {
    const { synchronizer } = this.#repo
    const receive = synchronizer.receiveMessage.bind(synchronizer)
    synchronizer.receiveMessage = async message => {
      try {
        await receive(message)
      } catch (cause) {
        const error = new RelayError('RELAY_SYNC_INVALID', `the message cannot be applied: ${messageOf(cause)}`, { cause })
        this.#network.peer(message.senderId)?.refuse(error)
      }
    }
  }
}

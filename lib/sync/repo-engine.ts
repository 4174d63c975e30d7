import { Repo, type DocHandle, type DocumentId as RepoDocumentId, type PeerId } from '@automerge/automerge-repo'
import { isOneDocument } from '../automerge/chunk.ts'
import type { AutomergePool } from '../automerge/pool.ts'
import { RelayError, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { Documents } from '../storage/documents.ts'
import { PeerConnection, type ConnectionEvents, type ConnectionLimits, type Self } from './connection.ts'
import type { Connection, EngineStats, SyncEngine, Transport } from './engine.ts'
import { EphemeralRelay } from './ephemeral.ts'
import type { EphemeralFrame, FrameType, SyncFrame, UnavailableFrame } from './frame.ts'
import { OpenDocument } from './open-document.ts'
import { RepoNetwork, type RepoFrame } from './repo-network.ts'
import { checkSyncMessage } from './sync-message.ts'

/** What the engine reports; the relay's metrics are one. */
export interface EngineMeter {
  messageIn (type: FrameType | 'invalid', bytes: number): void
  messageOut (type: FrameType, bytes: number): void
  syncLatency (seconds: number): void
  refused (code: RelayError['code']): void
}

export interface RepoEngineOptions {
  documents: Documents
  automerge: AutomergePool
  limits: ConnectionLimits & { /** ms a document stays in memory after its last peer left */ idleTimeout: number }
  meter: EngineMeter
  log: Log
}

/** The sync engine with automerge-repo's `Repo` inside, which syncs and nothing else: storing is done here. */
export class RepoEngine implements SyncEngine, ConnectionEvents {
  readonly #options: RepoEngineOptions
  readonly #self: Self
  readonly #repo: Repo
  readonly #network: RepoNetwork
  readonly #connections = new Set<PeerConnection>()
  readonly #ephemeral = new EphemeralRelay()
  readonly #listeners = new Set<(id: DocumentId) => void>()
  readonly #open = new Map<DocumentId, OpenDocument | Promise<OpenDocument>>()
  /** When changes came in that their sender has not been answered: connection key and document. */
  readonly #unanswered = new Map<string, number>()
  readonly #sweep: NodeJS.Timeout
  #count = 0
  #closing = false

  constructor (options: RepoEngineOptions) {
    const { documents } = options
    this.#options = options
    this.#self = { peerId: `relay-${documents.id}`, metadata: { storageId: documents.id, isEphemeral: false } }
    this.#network = new RepoNetwork((peer, frame) => { this.#send(peer, frame) })
    this.#repo = new Repo({
      network: [this.#network],
      peerId: this.#self.peerId as PeerId,
      // a document is offered only to those who ask for it by id
      shareConfig: { announce: async () => false, access: async () => true }
    })
    this.#closeOnError()
    this.#sweep = setInterval(() => { this.#forgetIdle() }, options.limits.idleTimeout)
    this.#sweep.unref()
  }

  connect (transport: Transport): Connection {
    const connection = new PeerConnection(`connection-${++this.#count}`, transport, this.#self, this.#options.limits, this)
    this.#connections.add(connection)
    if (this.#closing) connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    return connection
  }

  async snapshot (id: DocumentId): Promise<Uint8Array | null> {
    const { documents, automerge } = this.#options
    const chunks = await documents.chunks(id)
    if (chunks.length === 0) return null
    return chunks.length === 1 && isOneDocument(chunks[0]!) ? chunks[0]! : await automerge.compact(chunks)
  }

  async merge (id: DocumentId, chunks: Uint8Array[], checked = false): Promise<void> {
    const { documents, automerge } = this.#options
    const incoming = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
    const stored = await documents.chunks(id)
    if (stored.length > 0) {
      if (!await automerge.adds(stored, [incoming])) return
    } else if (!checked) {
      await automerge.inspect([incoming])
    }
    if (!this.#open.has(id)) {
      await documents.put(id, incoming)
      this.#changed(id)
    }
    // also when it was opened meanwhile, perhaps before there was a file
    const document = await this.#open.get(id)
    try {
      await document?.merge(incoming)
    } finally {
      if (document?.isSound() === false) this.#forget(id)
    }
  }

  onChange (listener: (id: DocumentId) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  stats (): EngineStats {
    let peers = 0
    for (const connection of this.#connections) if (connection.open) peers++
    return { connections: this.#connections.size, peers, documents: this.#open.size }
  }

  disconnect (): void {
    this.#closing = true
    for (const connection of this.#connections) connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
  }

  async close (): Promise<void> {
    this.disconnect()
    clearInterval(this.#sweep)
    await Promise.allSettled(this.#open.values()) // what is opened now is not to be read after the storage is closed
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
    const { documents, limits } = this.#options
    if (documents.backlog > limits.maxBacklog) throw new RelayError('RELAY_STORAGE_FAILED', 'changes cannot be stored at the moment')
    if (frame.type !== 'doc-unavailable') {
      this.#ephemeral.follow(peer, id)
      if (checkSyncMessage(frame.data)) this.#unanswered.set(`${peer.key} ${id}`, performance.now())
    }
    const document = this.#document(id)
    if (document instanceof OpenDocument) this.#deliver(document, peer, frame)
    else document.then(opened => { if (peer.open) this.#deliver(opened, peer, frame) }, () => {}) // logged where it is opened
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

  /** The document in the repo: its stored state is there, and its changes are watched, before a message reaches it. */
  #document (id: DocumentId): OpenDocument | Promise<OpenDocument> {
    const known = this.#open.get(id)
    if (known !== undefined) return known
    const opening = this.#load(id).then(handle => {
      const document = new OpenDocument(id, handle, this.#options.documents, () => { this.#changed(id) })
      this.#open.set(id, document)
      return document
    })
    this.#open.set(id, opening)
    opening.catch(error => {
      this.#open.delete(id)
      this.#options.log.error({ documentId: id, err: error }, `document not opened: ${messageOf(error)}`)
    })
    return opening
  }

  /** Lets go of documents that no peer has followed since the last time: what is stored of them is all there is. */
  #forgetIdle (): void {
    for (const [id, document] of this.#open) {
      if (!(document instanceof OpenDocument) || document.touch(this.#ephemeral.isFollowed(id))) continue
      this.#forget(id)
    }
  }

  /** Takes a document out of memory; the next message about it opens it from what is stored. */
  #forget (id: DocumentId): void {
    this.#open.delete(id)
    this.#repo.delete(id as string as RepoDocumentId)
  }

  async #load (id: DocumentId): Promise<DocHandle<unknown>> {
    const docId = id as string as RepoDocumentId
    const chunks = await this.#options.documents.chunks(id)
    if (chunks.length > 0) return this.#repo.import<unknown>(Buffer.concat(chunks), { docId })
    return await this.#repo.find(docId, { allowableStates: ['ready', 'unavailable', 'requesting'] })
  }

  /** Hands a frame to the repo, and sees whether the document has survived it. */
  #deliver (document: OpenDocument, peer: PeerConnection, frame: SyncFrame | UnavailableFrame): void {
    this.#network.deliver(peer, frame)
    if (frame.type === 'doc-unavailable') return
    setImmediate(() => {
      const { documentId: id } = frame
      if (this.#open.get(id) !== document || document.isSound()) return
      this.#options.log.error({ documentId: id, peer: peer.key }, 'a change broke the document in memory; it is opened anew')
      this.#forget(id)
      peer.refuse(new RelayError('RELAY_SYNC_INVALID', 'the changes cannot be applied'))
    })
  }

  #send (peer: PeerConnection, frame: RepoFrame): void {
    const document = this.#open.get(frame.documentId)
    if (!(document instanceof OpenDocument)) {
      peer.send(frame) // nothing of it is known here yet
      return
    }
    document.whenDurable(() => {
      peer.send(frame)
      this.#answered(peer, frame.documentId)
    })
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

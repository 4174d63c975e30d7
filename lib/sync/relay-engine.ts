import { SyncSessions } from '../automerge/workers/sync-sessions.ts'
import { RelayError, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Hash } from '../automerge/format/hash.ts'
import { isDeletion } from '../storage/tombstone.ts'
import { channels, traced } from '../tracing.ts'
import type { Incoming } from './document/audience.ts'
import { PeerConnection, type ConnectionEvents, type Self } from './peers/connection.ts'
import type { DocumentContext, RelayEngineOptions } from './context.ts'
import { LiveDocument } from './document/live-document.ts'
import type { Connection, DocumentState, EngineStats, SyncEngine, Transport } from './engine.ts'
import { EphemeralRelay } from './peers/ephemeral.ts'
import { Flushes } from './flushes.ts'
import { Followers } from './peers/followers.ts'
import { Gate } from './peers/permissions.ts'
import { ALL_RIGHTS, type Grant } from './peers/grant.ts'
import type { EphemeralFrame, FrameType, SyncFrame, UnavailableFrame } from '../wire/frame.ts'
import { Laggards } from './peers/slow-peers.ts'
import { levelsOf, stateOf, statsOf, type EngineLevels } from './engine-figures.ts'
import { Quotas } from './peers/quotas.ts'
import { refusalOf } from './refusal.ts'
import { openHistory, readSmall, readWhole } from './document/open-history.ts'
import { decodeSyncMessage } from '../wire/sync-message.ts'

const CALL_TIMEOUT = 60_000 // ms that Automerge may take over one message: a document of a million changes takes seconds to load
const CHECK_INTERVAL = 5_000 // ms between looks for peers that are stuck

/**
 * The sync engine: knows which changes there are, which peer has which, and that they are on disk. It opens no document
 * to pass an edit on.
 */
export class RelayEngine implements SyncEngine, ConnectionEvents {
  readonly #options: RelayEngineOptions
  readonly #self: Self
  readonly #context: DocumentContext
  readonly #sessions: SyncSessions
  readonly #connections = new Set<PeerConnection>()
  readonly #followers = new Followers()
  readonly #quotas: Quotas
  readonly #ephemeral: EphemeralRelay
  readonly #laggards = new Laggards()
  readonly #gate = new Gate()
  readonly #listeners = new Set<(id: DocumentId) => void>()
  readonly #open = new Map<DocumentId, LiveDocument | Promise<LiveDocument>>()
  readonly #timers: NodeJS.Timeout[]
  readonly #flushes = new Flushes()
  #count = 0
  #closing = false

  constructor (options: RelayEngineOptions) {
    const { documents, automerge, forward, meter, log, limits } = options
    this.#options = options
    this.#quotas = new Quotas(options.quotas)
    this.#ephemeral = new EphemeralRelay(this.#followers, this.#quotas)
    this.#self = { peerId: `relay-${documents.id}`, metadata: { storageId: documents.id, isEphemeral: false } }
    this.#sessions = new SyncSessions({ log, callTimeout: CALL_TIMEOUT })
    this.#context = {
      selfId: this.#self.peerId,
      documents,
      automerge,
      sessions: this.#sessions,
      forward,
      quotas: this.#quotas,
      meter,
      log,
      readDocument: async chunk => readSmall(chunk) ?? await automerge.read(chunk),
      read: async id => await openHistory(id, this.#context),
      schedule: document => { this.#flushes.add(document) },
      lag: (document, peer) => { this.#laggards.add(peer, document) },
      changed: document => {
        this.#flushes.add(document)
        for (const listener of this.#listeners) listener(document.id)
      },
      failed: (document, error) => { this.#drop(document, error) }
    }
    this.#timers = [
      // what is stored of a document that no peer has followed since the last time is all there is
      setInterval(() => { for (const document of this.#live()) if (!document.touch()) this.#forget(document) }, limits.idleTimeout),
      setInterval(() => { for (const document of this.#live()) document.audience.check(performance.now()) }, CHECK_INTERVAL)
    ]
    for (const timer of this.#timers) timer.unref()
  }

  connect (transport: Transport, grant?: Grant): Connection {
    const connection = new PeerConnection(`connection-${++this.#count}`, transport, this.#self, this.#options.limits, this, grant)
    this.#connections.add(connection)
    grant?.attach(connection)
    if (this.#closing) connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    return connection
  }

  async snapshot (id: DocumentId): Promise<Uint8Array | null> { return await readWhole(id, this.#options) }

  async merge (id: DocumentId, chunks: Uint8Array[], checked = false): Promise<void> {
    const document = await this.#document(id)
    await document.merge(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), checked)
    if (!document.isInUse) this.#forget(document)
  }

  async heads (id: DocumentId): Promise<Hash[]> {
    const document = await this.#document(id)
    if (document.isVacant) this.#forget(document)
    return document.durable.heads
  }

  async apply (id: DocumentId, changes: Uint8Array[], expected?: Hash[]): Promise<void> {
    await (await this.#document(id)).apply(changes, expected)
  }

  async remove (id: DocumentId): Promise<void> {
    const document = await this.#document(id)
    await document.remove()
    for (const peer of [...this.#followers.of(id)]) this.#withdraw(peer, id)
    this.#forget(document)
    for (const listener of this.#listeners) listener(id)
  }

  onChange (listener: (id: DocumentId) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  stats (): EngineStats { return statsOf(this.#connections, this.#open) }

  openIds (): Iterable<DocumentId> { return this.#open.keys() }

  state (id: DocumentId): DocumentState | undefined { return stateOf(this.#open.get(id)) }

  /** What is going on; looks at every peer of every document. */
  levels (): EngineLevels { return levelsOf(this.#connections, this.#open, this.#sessions) }

  disconnect (): void {
    this.#closing = true
    for (const connection of this.#connections) connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
  }

  async close (): Promise<void> {
    this.disconnect()
    for (const timer of this.#timers) clearInterval(timer)
    this.#laggards.close()
    this.#ephemeral.close()
    const documents = await Promise.allSettled(this.#open.values()) // what is opened now is not to be read after the storage is closed
    for (const opened of documents) if (opened.status === 'fulfilled') opened.value.close()
    await this.#sessions.close()
  }

  followed (peer: PeerConnection): ReadonlySet<DocumentId> { return this.#followers.documents(peer) }

  joined (peer: PeerConnection): void {
    this.#ephemeral.join(peer)
    this.#options.log.debug({ peer: peer.key, peerId: peer.peerId }, 'peer joined')
  }

  frame (peer: PeerConnection, frame: SyncFrame | UnavailableFrame | EphemeralFrame): void {
    if (frame.type === 'ephemeral') this.#gate.admit(peer, frame.documentId, ({ read }) => { if (read) this.#ephemeral.pass(peer, frame) })
    else if (frame.type !== 'doc-unavailable') this.#sync(peer, frame)
  }

  unfollowed (peer: PeerConnection, id: DocumentId): void {
    this.#followers.remove(peer, id)
    const document = this.#open.get(id)
    if (document instanceof LiveDocument) document.audience.leave(peer)
  }

  reassessed (peer: PeerConnection): void {
    for (const id of [...this.#followers.documents(peer)]) {
      this.#gate.admit(peer, id, rights => {
        const document = this.#open.get(id)
        if (!rights.read) this.#withhold(peer, id, false)
        else if (document instanceof LiveDocument) document.audience.regrant(peer, rights)
      })
    }
    for (const id of this.#gate.take(peer)) {
      this.#gate.admit(peer, id, ({ read }) => {
        if (!read) return
        this.#followers.add(peer, id)
        this.#document(id).then(document => { if (peer.open) document.audience.invite(peer) }, (error: unknown) => { this.#unopened(peer, id, error) })
      })
    }
  }

  gone (peer: PeerConnection): void {
    this.#gate.take(peer)
    this.#connections.delete(peer)
    this.#laggards.delete(peer)
    this.#ephemeral.leave(peer)
    for (const id of this.#followers.leave(peer)) {
      const document = this.#open.get(id)
      if (document instanceof LiveDocument) document.audience.leave(peer)
    }
  }

  received (type: FrameType | 'invalid', bytes: number): void { this.#options.meter.messageIn(type, bytes) }
  sent (type: FrameType, bytes: number): void { this.#options.meter.messageOut(type, bytes) }

  refused (peer: PeerConnection, error: RelayError): void {
    const { log, meter } = this.#options
    meter.refused(error.code)
    if (error.code === 'RELAY_INTERNAL') log.error({ peer: peer.key, peerId: peer.peerId, err: error.cause }, 'peer closed: internal error')
    else if (error.code !== 'RELAY_CLOSING') this.denied(peer, error)
  }

  denied (peer: PeerConnection, error: RelayError): void { this.#options.quotas.refusals.tell(peer.source ?? peer.key, error) }

  #sync (peer: PeerConnection, { type, documentId: id, data }: SyncFrame): void {
    const { documents, limits } = this.#options
    if (documents.backlog > limits.maxBacklog) throw new RelayError('RELAY_STORAGE_FAILED', 'changes cannot be stored at the moment')
    if (!this.#quotas.admits(peer, id)) return
    const incoming: Incoming = { peer, isRequest: type === 'request', data, message: decodeSyncMessage(data), rights: ALL_RIGHTS }
    if (peer.grant === undefined) {
      this.#hear(id, incoming)
      return
    }
    this.#gate.admit(peer, id, rights => {
      if (rights.read) this.#hear(id, { ...incoming, rights })
      else this.#withhold(peer, id, incoming.message.changes.length > 0)
    })
  }

  /** The peer may not read the document, or may no more. */
  #withhold (peer: PeerConnection, id: DocumentId, isChange: boolean): void {
    this.unfollowed(peer, id)
    this.#gate.withhold(peer, id, isChange)
  }

  #hear (id: DocumentId, incoming: Incoming): void {
    const { peer } = incoming
    this.#followers.add(peer, id)
    const known = this.#open.get(id)
    if (known instanceof LiveDocument) {
      this.#receive(known, incoming)
      return
    }
    const release = peer.hold(incoming.data.length)
    this.#document(id).finally(release).then(document => {
      if (peer.open) this.#receive(document, incoming)
    }).catch((error: unknown) => { this.#unopened(peer, id, error) })
  }

  #unopened (peer: PeerConnection, id: DocumentId, error: unknown): void {
    if (isDeletion(error)) this.#withdraw(peer, id)
    else peer.refuse(refusalOf(error))
  }

  /** Tells a peer that there is no such document, any more. */
  #withdraw (peer: PeerConnection, id: DocumentId): void {
    this.unfollowed(peer, id)
    peer.send({ type: 'doc-unavailable', documentId: id })
  }

  #receive (document: LiveDocument, incoming: Incoming): void {
    document.receive(incoming)
    if (document.isVacant) this.#forget(document)
  }

  async #document (id: DocumentId): Promise<LiveDocument> {
    const known = this.#open.get(id)
    if (known !== undefined) return await known
    const opening = traced(channels.open, () => ({ documentId: id }), () => openHistory(id, this.#context)).then(history => {
      const document = new LiveDocument(id, history, this.#context)
      // they have been told that there is none
      if (history.isEmpty) for (const peer of this.#followers.of(id)) document.audience.expect(peer)
      this.#open.set(id, document)
      return document
    })
    this.#open.set(id, opening)
    opening.catch(error => {
      this.#open.delete(id)
      if (!isDeletion(error)) this.#options.log.error({ documentId: id, err: error }, `document not opened: ${messageOf(error)}`)
    })
    return await opening
  }

  * #live (): Generator<LiveDocument> {
    for (const document of this.#open.values()) if (document instanceof LiveDocument) yield document
  }

  #forget (document: LiveDocument): void {
    document.close()
    if (this.#open.get(document.id) === document) this.#open.delete(document.id)
  }

  /** Its peers come again, and it is opened anew from what is stored. */
  #drop (document: LiveDocument, error: unknown): void {
    if (this.#open.get(document.id) !== document) return
    this.#options.log.error({ documentId: document.id, err: error }, `document let go: ${messageOf(error)}`)
    for (const peer of document.audience.followers.keys()) {
      peer.refuse(new RelayError(this.#closing ? 'RELAY_CLOSING' : 'RELAY_STORAGE_FAILED', 'changes cannot be stored', { cause: error }))
    }
    this.#forget(document)
  }
}

import { randomUUID } from 'node:crypto'
import { SyncSessions } from '../automerge/workers/sync-sessions.ts'
import { RelayError, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Hash } from '../automerge/format/hash.ts'
import { isDeletion } from '../storage/tombstone.ts'
import { PeerConnection, type ConnectionEvents, type ConnectionParts } from './peers/connection.ts'
import type { DocumentContext, Flushable, RelayEngineOptions } from './context.ts'
import type { LiveDocument } from './document/live-document.ts'
import type { Connection, DocumentState, EngineStats, SyncEngine, Transport } from './engine.ts'
import { EphemeralRelay } from './peers/ephemeral.ts'
import { ChangeListeners } from './change-listeners.ts'
import { Flushes } from './flushes.ts'
import { Followers } from './peers/followers.ts'
import { Permissions } from './peers/permissions.ts'
import { ALL_RIGHTS, type Grant, type Rights } from './peers/grant.ts'
import { Protocol1 } from './protocol/protocol-1.ts'
import type { Statement } from './protocol/sync-protocol.ts'
import type { EphemeralFrame, SyncFrame, UnavailableFrame } from '../wire/frame.ts'
import { SlowPeers } from './peers/slow-peers.ts'
import { OpenDocuments } from './open-documents.ts'
import { levelsOf, stateOf, statsOf, type EngineLevels } from './engine-figures.ts'
import { Quotas } from './peers/quotas.ts'
import { PeerReports } from './peers/reports.ts'
import { blamesDocument, messageTooLarge, refusalOf } from './refusal.ts'
import { damagedDocument, openHistory, readSmall, readWhole } from './document/open-history.ts'

// ms that Automerge may take over one message: a document of a million changes takes seconds to load
const CALL_TIMEOUT = 60_000
const CHECK_INTERVAL = 5_000 // ms between looks for peers that are stuck

/**
 * The sync engine: knows which changes there are, which peer has which, and that they are on disk. It opens no document
 * to pass an edit on.
 */
export class RelayEngine implements SyncEngine, ConnectionEvents {
  readonly #options: RelayEngineOptions
  readonly #parts: ConnectionParts
  readonly #context: DocumentContext
  readonly #sessions: SyncSessions
  readonly #connections = new Set<PeerConnection>()
  readonly #followers = new Followers()
  readonly #quotas: Quotas
  readonly #ephemeral: EphemeralRelay
  readonly #slowPeers = new SlowPeers()
  readonly #permissions = new Permissions({
    unclear: (peer, id, error) => {
      this.#withhold(peer, id, false)
      peer.deny(id, error)
    },
    again: (peer, id) => { this.#readmit(peer, id) }
  })

  readonly #listeners: ChangeListeners
  readonly #open: OpenDocuments
  readonly #timers: NodeJS.Timeout[]
  readonly #flushes = new Flushes((document, error) => { this.#drop(document, error) })
  #count = 0
  #closing = false

  constructor (options: RelayEngineOptions) {
    const { documents, automerge, forward, meter, log, limits } = options
    this.#options = options
    this.#listeners = new ChangeListeners(log)
    this.#quotas = new Quotas(options.quotas)
    this.#ephemeral = new EphemeralRelay(this.#followers, this.#quotas)
    const peerId = `relay-${randomUUID()}`
    const metadata = { storageId: documents.id, isEphemeral: false }
    this.#parts = {
      self: { peerId, metadata, protocols: [new Protocol1(peerId)] },
      limits,
      events: this,
      reports: new PeerReports(options)
    }
    this.#sessions = new SyncSessions({ log, callTimeout: CALL_TIMEOUT })
    this.#context = {
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
      lag: (audience, peer) => { this.#slowPeers.add(peer, audience) },
      changed: document => {
        this.#flushes.add(document)
        this.#listeners.tell(document.id)
      },
      failing: (id, peer, error) => { this.#failing(id, peer, error) },
      withhold: (id, peer, bytes) => { this.#withholdMessage(peer, id, bytes) },
      failed: (document, error) => { this.#drop(document, error) }
    }
    this.#open = new OpenDocuments(this.#context, this.#followers)
    this.#timers = [
      setInterval(() => { this.#open.forgetUnused() }, limits.idleTimeout),
      setInterval(() => { this.#open.check() }, CHECK_INTERVAL)
    ]
    for (const timer of this.#timers) timer.unref()
  }

  connect (transport: Transport, grant?: Grant): Connection {
    const connection = new PeerConnection(`connection-${++this.#count}`, transport, this.#parts, grant)
    this.#connections.add(connection)
    grant?.attach(connection)
    if (this.#closing) connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    return connection
  }

  async snapshot (id: DocumentId): Promise<Uint8Array | null> { return await readWhole(id, this.#options) }

  async merge (id: DocumentId, chunks: Uint8Array[], checked = false): Promise<void> {
    const document = await this.#open.open(id)
    await document.merge(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks), checked)
    if (!document.isInUse) this.#open.forget(document)
  }

  async heads (id: DocumentId): Promise<Hash[]> {
    const document = await this.#open.open(id)
    if (document.isVacant) this.#open.forget(document)
    if (document.history.isDamaged) throw damagedDocument(id)
    return document.durable.heads
  }

  async apply (id: DocumentId, changes: Uint8Array[], expected?: Hash[]): Promise<void> {
    await (await this.#open.open(id)).apply(changes, expected)
  }

  async remove (id: DocumentId): Promise<void> {
    const document = await this.#open.open(id)
    await document.remove()
    for (const peer of [...this.#followers.of(id)]) this.#withdraw(peer, id)
    this.#open.forget(document)
    this.#listeners.tell(id)
  }

  onChange (listener: (id: DocumentId) => void): () => void {
    return this.#listeners.add(listener)
  }

  stats (): EngineStats { return statsOf(this.#connections, this.#open.all) }

  openIds (): Iterable<DocumentId> { return this.#open.all.keys() }

  state (id: DocumentId): DocumentState | undefined { return stateOf(this.#open.get(id)) }

  /** What is going on; looks at every peer of every document. */
  levels (): EngineLevels { return levelsOf(this.#connections, this.#open, this.#sessions) }

  disconnect (): void {
    this.#closing = true
    for (const connection of this.#connections) {
      connection.refuse(new RelayError('RELAY_CLOSING', 'the relay is closing'))
    }
  }

  async close (): Promise<void> {
    this.disconnect()
    for (const timer of this.#timers) clearInterval(timer)
    this.#slowPeers.close()
    this.#permissions.close()
    this.#ephemeral.close()
    await this.#open.close() // what is opened now is not to be read after the storage is closed
    await this.#sessions.close()
  }

  followed (peer: PeerConnection): ReadonlySet<DocumentId> { return this.#followers.documents(peer) }

  joined (peer: PeerConnection): void {
    this.#ephemeral.join(peer)
    this.#options.log.debug({ peer: peer.key, peerId: peer.peerId }, 'peer joined')
  }

  frame (peer: PeerConnection, frame: SyncFrame | UnavailableFrame | EphemeralFrame): void {
    if (frame.type === 'ephemeral') {
      this.#permissions.admit(peer, frame.documentId, ({ read }) => {
        if (read) {
          this.#ephemeral.pass(peer, frame)
        }
      }, frame.data.length)
    } else if (frame.type !== 'doc-unavailable') this.#sync(peer, frame)
  }

  unfollowed (peer: PeerConnection, id: DocumentId): void {
    this.#followers.remove(peer, id)
    this.#open.get(id)?.audience.leave(peer)
  }

  reassessed (peer: PeerConnection): void {
    const withheld = this.#permissions.drainWithheld(peer) // not what is withheld in the next lines
    for (const id of [...this.#followers.documents(peer)]) {
      this.#permissions.admit(peer, id, rights => {
        if (rights.read) this.#open.get(id)?.audience.regrant(peer, rights)
        else this.#withhold(peer, id, false)
      })
    }
    for (const id of withheld) this.#readmit(peer, id)
  }

  gone (peer: PeerConnection): void {
    this.#permissions.drainWithheld(peer)
    this.#connections.delete(peer)
    this.#slowPeers.delete(peer)
    this.#ephemeral.leave(peer)
    for (const id of this.#followers.leave(peer)) this.#open.get(id)?.audience.leave(peer)
  }

  #sync (peer: PeerConnection, frame: SyncFrame): void {
    const { documentId: id } = frame
    const { documents, limits } = this.#options
    if (documents.backlog > limits.maxBacklog) {
      throw new RelayError('RELAY_STORAGE_FAILED', 'changes cannot be stored at the moment')
    }
    if (!this.#quotas.admits(peer, id)) return
    const statement = peer.protocol.read(frame)
    if (peer.grant === undefined) return this.#hear(id, peer, statement, ALL_RIGHTS)
    this.#permissions.admit(peer, id, rights => {
      if (rights.read) this.#hear(id, peer, statement, rights)
      else this.#withhold(peer, id, statement.changes.length > 0)
    }, frame.data.length)
  }

  #withholdMessage (peer: PeerConnection, id: DocumentId, bytes: number): void {
    this.#options.meter.withheld()
    this.#unavailable(peer, id, messageTooLarge(bytes))
  }

  /** The peer may not read the document, or may no more. */
  #withhold (peer: PeerConnection, id: DocumentId, isChange: boolean): void {
    this.unfollowed(peer, id)
    this.#permissions.withhold(peer, id, isChange)
  }

  /** Has a peer told of a document that was withheld from it, if it may read it now. */
  #readmit (peer: PeerConnection, id: DocumentId): void {
    this.#permissions.admit(peer, id, ({ read }) => {
      if (!read) { this.#permissions.remember(peer, id); return }
      this.#followers.add(peer, id)
      this.#open.open(id).then(
        document => { if (peer.open) document.audience.invite(peer) },
        (error: unknown) => { this.#unopened(peer, id, error) }
      )
    })
  }

  #hear (id: DocumentId, peer: PeerConnection, statement: Statement, rights: Rights): void {
    this.#followers.add(peer, id)
    const known = this.#open.get(id)
    if (known !== undefined) return this.#receive(known, peer, statement, rights)
    const release = peer.hold(statement.data.length)
    this.#open.openLater(id).finally(release).then(document => {
      if (peer.open) this.#receive(document, peer, statement, rights)
    }).catch((error: unknown) => { this.#unopened(peer, id, error) })
  }

  #unopened (peer: PeerConnection, id: DocumentId, error: unknown): void {
    if (isDeletion(error)) this.#withdraw(peer, id)
    else this.#unavailable(peer, id, refusalOf(error))
  }

  #failing (id: DocumentId, peer: PeerConnection, error: RelayError): void {
    if (blamesDocument(error)) {
      this.#open.failed(id, error)
      this.#unavailable(peer, id, error)
    } else peer.refuse(error)
  }

  /** A document cannot be opened: its peers are told so, and go on with their others. They are told when it can be. */
  #unavailable (peer: PeerConnection, id: DocumentId, error: RelayError): void {
    if (!peer.open) return
    peer.send({ type: 'doc-unavailable', documentId: id })
    peer.deny(id, error)
  }

  /** Tells a peer that there is no such document, any more. */
  #withdraw (peer: PeerConnection, id: DocumentId): void {
    this.unfollowed(peer, id)
    peer.send({ type: 'doc-unavailable', documentId: id })
  }

  #receive (document: LiveDocument, peer: PeerConnection, statement: Statement, rights: Rights): void {
    document.receive(peer, statement, rights)
    if (document.isVacant) this.#open.forget(document)
  }

  /** Its peers come again, and it is opened anew from what is stored. */
  #drop (failed: Flushable, error: unknown): void {
    const document = this.#open.get(failed.id)
    if (document === undefined || document !== failed) return
    this.#options.log.error({ documentId: document.id, err: error }, `document let go: ${messageOf(error)}`)
    const code = this.#closing ? 'RELAY_CLOSING' : 'RELAY_STORAGE_FAILED'
    for (const peer of document.audience.followers.keys()) {
      peer.refuse(new RelayError(code, 'changes cannot be stored', { cause: error }))
    }
    this.#open.forget(document)
  }
}

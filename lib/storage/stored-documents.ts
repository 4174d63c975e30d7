import path from 'node:path'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import { RelayError, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import { channels, traced, type FoldTrace } from '../tracing.ts'
import { Compactor, nameOf } from './compactor.ts'
import { Damage } from './damage.ts'
import type { DocumentStore, Footprint, IdQuery, StorageLevels } from './document-store.ts'
import { DocumentChunks } from './document-chunks.ts'
import { FolderChunks } from './local/folder-chunks.ts'
import type { ChangeLog } from './change-log.ts'
import type { ChunkStore } from './chunk-store.ts'
import { Journal, type Durability } from './local/journal.ts'
import { FolderLock } from './local/lock.ts'
import { unmetered, type StorageMeter } from './meter.ts'
import { PendingChanges } from './pending-changes.ts'
import { deletedDocument, unlessDeleted } from './tombstone.ts'

export interface DocumentsOptions {
  folder: string
  durability: Durability
  automerge: AutomergePool
  log: Log
  meter?: StorageMeter
  /** Where documents’ chunks are; in the folder, as files, unless given */
  chunks?: ChunkStore | undefined
}

const FOLD_BYTES = 16 * 1024 * 1024 // of journal
const FOLD_INTERVAL = 15_000 // ms
const WRITES_AT_ONCE = 16
const NOTHING = new Uint8Array() // in a record of what was deleted, or stored as a whole

/**
 * The stored documents. Changes go to a journal first (one disk sync for all that arrive together) and are folded into
 * the documents' own files, in the nodefs layout, in the background: written there first, deleted in the journal after.
 * A document read in between is its files and what the journal still holds. After `close` there is no journal.
 */
export class Documents implements DocumentStore {
  readonly damage: Damage
  /** On this machine: the journal, and the chunks where they have no other place. */
  readonly #folder: FolderChunks
  readonly #chunks: DocumentChunks
  readonly #isLocal: boolean
  readonly #lock: FolderLock
  readonly #journal: ChangeLog
  readonly #compactor: Compactor
  readonly #log: Log
  readonly #meter: StorageMeter
  readonly #pending = new PendingChanges()
  #fold: Promise<void> | undefined
  #foldFailure: unknown
  /** The last append; the journal writes them in order. */
  #appended: Promise<unknown> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor ({ folder, durability, automerge, log, meter = unmetered, chunks }: DocumentsOptions) {
    this.#lock = new FolderLock(folder, { log })
    this.#folder = new FolderChunks(folder)
    this.#isLocal = chunks === undefined
    this.#chunks = new DocumentChunks(chunks ?? this.#folder, this.#lock)
    this.#journal = new Journal({
      folder: path.join(this.#folder.folder, 'journal'),
      durability,
      log,
      fence: this.#lock,
      committed: meter.committed.bind(meter)
    })
    this.damage = new Damage(log)
    this.#compactor = new Compactor(this.#chunks, this.damage, automerge, log)
    this.#log = log
    this.#meter = meter
  }

  get id (): string { return this.#chunks.id }

  get folder (): string { return this.#folder.folder }

  /** Into the journal, or on into chunks. */
  get backlog (): number {
    return this.#foldFailure === undefined
      ? this.#journal.backlog
      : Math.max(this.#journal.backlog, this.#pending.bytes)
  }

  get levels (): StorageLevels {
    const { bytes, documents } = this.#pending
    return { journal: this.#journal.size, held: bytes, documents, compactions: this.#compactor.backlog }
  }

  get stalled (): number { return this.#journal.stalled }

  async probe (): Promise<void> {
    await this.#chunks.probe()
    if (!this.#isLocal) await this.#folder.probe()
  }

  get lost (): Promise<RelayError> { return this.#lock.lost }

  get failure (): unknown { return this.#journal.failure ?? this.#foldFailure }

  /**
   * Makes the folder its own and reads what a killed process left in the journal; it is folded in the background.
   * @throws RelayError RELAY_STORAGE_FAILED with the path: not writable, or in use by another relay
   */
  async open (): Promise<void> {
    await this.#lock.take()
    try {
      if (!this.#isLocal) await this.#folder.open()
      await this.#chunks.open()
      const whole = new Set<DocumentId>()
      await this.#journal.open(({ id, changes, chunk }) => {
        if (chunk !== undefined) whole.add(id)
        else if (changes.length > 0) this.#pending.add(id, changes)
        else this.#pending.delete(id)
      })
      for (const id of whole) this.#look(id)
    } catch (error) {
      await this.#lock.release()
      throw error
    }
    this.#timer = setInterval(() => { this.#foldInBackground() }, FOLD_INTERVAL)
    this.#timer.unref()
    this.#foldInBackground()
  }

  async append (id: DocumentId, changes: Uint8Array): Promise<void> {
    this.#refuseWhenClosed()
    if (changes.length === 0) return
    this.#pending.add(id, changes)
    const written = this.#meter.operation('storage', 'append', () => this.#journal.append({ id, changes }))
    this.#appended = written
    if (this.#journal.size > FOLD_BYTES) this.#foldInBackground()
    await written
  }

  /**
   * Waits for what was appended to the document before. The journal has a record of it: so it is said to be stored only
   * when the folder was still this relay's.
   */
  async put (id: DocumentId, chunk: Uint8Array): Promise<void> {
    this.#refuseWhenClosed()
    if (this.#pending.of(id).length > 0) await this.#appended
    const name = nameOf(chunk)
    await this.#meter.operation('storage', 'put', async () => {
      await this.#chunks.save([id, 'snapshot', name], chunk)
      if (!this.#closed) await this.#journal.append({ id, changes: NOTHING, chunk: name })
    })
    this.#look(id)
  }

  async ids ({ after = '', prefix = '', limit }: IdQuery): Promise<DocumentId[]> {
    // before those in the folder are listed: there they go
    const found = new Set([...this.#pending.ids()].filter(id => id > after && id.startsWith(prefix)))
    let count = 0
    for await (const id of this.#chunks.ids({ after, prefix })) {
      found.add(id)
      if (++count === limit) break
    }
    return [...found].sort().slice(0, limit)
  }

  /** Files, and bytes with those in the journal. */
  async footprint (id: DocumentId): Promise<Footprint> {
    if (this.#pending.isDeleted(id)) throw deletedDocument(id)
    const { files, bytes } = await this.#chunks.footprint(id)
    return { files, bytes: this.#pending.of(id).reduce((sum, { length }) => sum + length, bytes) }
  }

  /** Its chunks go in the background. */
  async remove (id: DocumentId): Promise<void> {
    this.#refuseWhenClosed()
    this.#pending.delete(id)
    await this.#meter.operation('storage', 'append', () => this.#journal.append({ id, changes: NOTHING }))
    this.#foldInBackground()
  }

  async has (id: DocumentId): Promise<boolean> {
    const chunks = await unlessDeleted(this.chunks(id))
    return chunks !== null && chunks.length > 0
  }

  async chunks (id: DocumentId): Promise<Uint8Array[]> {
    if (this.#pending.isDeleted(id)) throw deletedDocument(id)
    // what moves from the journal into files meanwhile is seen twice, never not at all; and what a file depends on is
    // seen
    const before = this.#pending.of(id)
    const files = await this.#meter.operation('storage', 'read', () => this.#chunks.load(id))
    const { whole, found } = this.damage.sift(id, files)
    return [...whole.map(({ data }) => data), ...found, ...new Set([...before, ...this.#pending.of(id)])]
  }

  /** In place of its other chunks. */
  async compact (id: DocumentId): Promise<Uint8Array> {
    return await this.#compactor.compact(id, () => this.#pending.of(id))
  }

  /**
   * Moves what the journal holds into the documents' files, after a fold that is under way.
   * @throws RelayError RELAY_STORAGE_FAILED when some could not be; those stay in the journal
   */
  async fold (): Promise<void> {
    const before = this.#fold
    const fold = (async () => {
      await before?.catch(() => {}) // told to who started it
      const trace = (): FoldTrace => ({ documents: this.levels.documents, bytes: this.#pending.bytes })
      await traced(channels.fold, trace, () => this.#meter.operation('storage', 'fold', () => this.#foldNow()))
    })()
    this.#fold = fold
    try {
      await fold
    } finally {
      if (this.#fold === fold) this.#fold = undefined
    }
  }

  /**
   * Folds everything, so that the folder is plain nodefs.
   * @throws RelayError RELAY_STORAGE_FAILED; the journal then stays
   */
  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    try {
      await this.#compactor.close()
      await this.#journal.close().catch(() => {}) // logged there; what could not be written is folded all the same
      await this.fold()
    } finally {
      await this.#lock.release()
    }
  }

  #refuseWhenClosed (): void {
    if (this.#closed) throw new RelayError('RELAY_CLOSING', 'the document storage is closed')
  }

  /** Has the document's files made few, if they are many: not while they may depend on what is in the journal only. */
  #look (id: DocumentId): void {
    if (this.#pending.of(id).length === 0) this.#compactor.add(id)
  }

  #foldInBackground (): void {
    if (this.#fold !== undefined) return
    this.fold().catch(error => { this.#log.error({ err: error }, `journal not folded, it grows: ${messageOf(error)}`) })
  }

  async #foldNow (): Promise<void> {
    try {
      await this.#lock.check() // when there is nothing to fold, too: others may store what is not known here
      const upTo = await this.#journal.cut() // everything up to there is among what is pending
      await this.#writePending()
      await this.#journal.settled(upTo)
      this.#foldFailure = undefined
    } catch (error) {
      this.#foldFailure = error
      throw error
    }
  }

  /** One document that cannot be written does not keep the others from it. @throws the first one's error */
  async #writePending (): Promise<void> {
    const all = this.#pending.fold()
    let failure: unknown
    for (let n = 0; n < all.length; n += WRITES_AT_ONCE) {
      await Promise.all(all.slice(n, n + WRITES_AT_ONCE).map(async folding => {
        const { id, isDeleted } = folding
        const chunk = this.#pending.folding(id)
        try {
          if (isDeleted) await this.#compactor.bury(id)
          else await this.#chunks.save([id, 'incremental', nameOf(chunk)], chunk)
        } catch (error) {
          failure ??= error
          return
        }
        this.#pending.folded(folding, chunk.length)
        if (!isDeleted) this.#compactor.add(id)
      }))
    }
    if (failure !== undefined) throw failure
  }
}

import { createHash } from 'node:crypto'
import path from 'node:path'
import type { AutomergePool } from '../automerge/pool.ts'
import { messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import { StorageFolder } from './folder.ts'
import { Journal, type Durability } from './journal.ts'
import { FolderLock } from './lock.ts'

export interface DocumentsOptions {
  folder: string
  durability: Durability
  automerge: AutomergePool
  log: Log
}

const FOLD_BYTES = 16 * 1024 * 1024 // of journal
const FOLD_INTERVAL = 15_000 // ms
const COMPACT_CHUNKS = 16 // files of a document before they are made one
const nameOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * The stored documents. Changes go to a journal first (one disk sync for all that arrive together) and are folded into
 * the documents' own files, in the nodefs layout, in the background: written there first, deleted in the journal after.
 * A document read in between is its files and what the journal still holds. After `close` there is no journal.
 */
export class Documents {
  readonly #folder: StorageFolder
  readonly #lock: FolderLock
  readonly #journal: Journal
  readonly #automerge: AutomergePool
  readonly #log: Log
  /** Changes that are in the journal only, by document; `#folding` those on their way into files. */
  #tail = new Map<DocumentId, Uint8Array[]>()
  #folding = new Map<DocumentId, Uint8Array[]>()
  #fold: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor ({ folder, durability, automerge, log }: DocumentsOptions) {
    this.#folder = new StorageFolder(folder)
    this.#lock = new FolderLock(path.join(this.#folder.folder, 'lock'))
    this.#journal = new Journal({ folder: path.join(this.#folder.folder, 'journal'), durability, log })
    this.#automerge = automerge
    this.#log = log
  }

  /** The storage's id, a UUID; known after `open`. */
  get id (): string { return this.#folder.id }

  get folder (): string { return this.#folder.folder }

  /** Bytes of changes that are not on disk yet. */
  get backlog (): number { return this.#journal.backlog }

  /** Why nothing can be stored at the moment, if that is so. */
  get failure (): unknown { return this.#journal.failure }

  /**
   * Makes the folder its own and folds what a killed process left in the journal.
   * @throws RelayError RELAY_STORAGE_FAILED with the path: not writable, or in use by another relay
   */
  async open (): Promise<void> {
    await this.#folder.open()
    await this.#lock.take()
    try {
      for (const { id, changes } of await this.#journal.open()) this.#remember(id as DocumentId, changes)
      await this.fold()
    } catch (error) {
      await this.#lock.release()
      throw error
    }
    this.#timer = setInterval(() => { this.#foldInBackground() }, FOLD_INTERVAL)
    this.#timer.unref()
  }

  /** Stores changes of a document (whole Automerge chunks that apply to it); as durable as configured when resolved. */
  async append (id: DocumentId, changes: Uint8Array): Promise<void> {
    this.#remember(id, changes)
    const written = this.#journal.append({ id, changes })
    if (this.#journal.size > FOLD_BYTES) this.#foldInBackground()
    await written
  }

  /** Stores a chunk as a file of its own, for what is large; on disk when resolved. */
  async put (id: DocumentId, chunk: Uint8Array): Promise<void> {
    await this.#folder.write([id, 'snapshot', nameOf(chunk)], chunk)
  }

  /** All that is stored of a document, as chunks in any order; none when there is no such document. */
  async chunks (id: DocumentId): Promise<Uint8Array[]> {
    // in this order: what moves from the journal into files meanwhile is seen twice, never not at all
    const pending = [...this.#folding.get(id) ?? [], ...this.#tail.get(id) ?? []]
    return [...await this.#folder.chunks(id), ...pending]
  }

  /** Moves what the journal holds into the documents' files. Runs once at a time. */
  async fold (): Promise<void> {
    this.#fold ??= this.#foldNow().finally(() => { this.#fold = undefined })
    await this.#fold
  }

  /** Folds everything, so that the folder is plain nodefs. @throws RelayError RELAY_STORAGE_FAILED; the journal then stays */
  async close (): Promise<void> {
    clearInterval(this.#timer)
    try {
      await this.#journal.close()
      await this.#fold
      await this.fold()
    } finally {
      await this.#lock.release()
    }
  }

  #remember (id: DocumentId, changes: Uint8Array): void {
    const known = this.#tail.get(id)
    if (known === undefined) this.#tail.set(id, [changes])
    else known.push(changes)
  }

  #foldInBackground (): void {
    this.fold().catch(error => { this.#log.error({ err: error }, `journal not folded, it grows: ${messageOf(error)}`) })
  }

  async #foldNow (): Promise<void> {
    const deleteEnded = await this.#journal.rotate()
    // everything in the ended segments was remembered before they ended; what a failed fold left comes first
    for (const [id, changes] of this.#tail) this.#folding.set(id, [...this.#folding.get(id) ?? [], ...changes])
    this.#tail = new Map()
    for (const [id, changes] of this.#folding) {
      const chunk = Buffer.concat(changes)
      await this.#folder.write([id, 'incremental', nameOf(chunk)], chunk)
      this.#folding.delete(id)
      await this.#compact(id)
    }
    await deleteEnded()
  }

  /** Makes a document's files one when there are many: the new one is written before the old ones go. */
  async #compact (id: DocumentId): Promise<void> {
    const keys = [...await this.#folder.list([id, 'snapshot']), ...await this.#folder.list([id, 'incremental'])]
    if (keys.length < COMPACT_CHUNKS) return
    try {
      const chunks = await Promise.all(keys.map(key => this.#folder.read(key)))
      const snapshot = await this.#automerge.compact(chunks.filter(chunk => chunk !== undefined))
      const name = nameOf(snapshot)
      await this.#folder.write([id, 'snapshot', name], snapshot)
      for (const key of keys) if (key[1] !== 'snapshot' || key[2] !== name) await this.#folder.remove(key)
    } catch (error) {
      this.#log.error({ documentId: id, err: error }, `document not compacted, its files stay as they are: ${messageOf(error)}`)
    }
  }
}

import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import type { Hash } from '../automerge/format/hash.ts'
import { RelayError, codeOf } from '../errors.ts'
import { newDocumentId, type DocumentId } from '../ids.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import type { DocumentStore } from '../storage/document-store.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { areMany, headsText, isDigest, parseHeads } from './heads.ts'
import type { Edit, HistoryPage } from './worker.ts'
import { DocumentWorkers } from './workers.ts'

export interface DocumentServiceParts {
  sync: SyncEngine
  storage: DocumentStore
  automerge: AutomergePool
  /** bytes that a document may take to be opened */
  maxDocument: number
  workers?: DocumentWorkers
}

/** A document that is new. */
export interface Created { id: DocumentId, heads: Hash[] }

export type Patch = Omit<Edit, 'actor'>

const CACHE_BYTES = 16 * 1024 * 1024 // bytes of views
const ENTRY_BYTES = 512 // bytes of an entry, roughly
const LONG_HEADS = 65_536 // heads of documents with many that their digests are still understood of

/**
 * Documents for those who have no Automerge: shown as JSON, made of it, and changed by patches. A change is made on a
 * worker thread and given to the sync engine, whose peers get it like any other.
 */
export class DocumentService {
  readonly #parts: DocumentServiceParts
  readonly #workers: DocumentWorkers
  readonly #queue = new KeyedQueue()
  readonly #views = new LRUCache<string, Uint8Array>({
    maxSize: CACHE_BYTES, sizeCalculation: ({ length }) => length + ENTRY_BYTES
  })

  /** Heads that were told by their digest. */
  readonly #digests = new LRUCache<string, Hash[]>({ maxSize: LONG_HEADS, sizeCalculation: ({ length }) => length })
  readonly #pending = new Map<string, Promise<Uint8Array>>()
  /** Who makes the changes, in every document: one actor less for each of them. Never the same after a restart. */
  #actor = newActor()

  constructor (parts: DocumentServiceParts) {
    this.#parts = parts
    this.#workers = parts.workers ?? new DocumentWorkers()
  }

  /** Bytes of views that are kept ready. */
  get cachedBytes (): number { return this.#views.calculatedSize }

  /**
   * The heads, sorted, without opening the document.
   * @throws RelayError RELAY_DOCUMENT_NOT_FOUND, RELAY_DOCUMENT_DELETED, RELAY_DOCUMENT_DAMAGED or RELAY_STORAGE_FAILED
   */
  async heads (id: DocumentId): Promise<Hash[]> {
    const heads = await this.#parts.sync.heads(id)
    if (heads.length === 0) throw new RelayError('RELAY_DOCUMENT_NOT_FOUND', `Document not found: ${id}`)
    if (areMany(heads)) this.#digests.set(`${id} ${headsText(heads)}`, heads)
    return heads
  }

  /**
   * Heads as somebody has them from a URL or a header. A digest is understood for a while.
   * @throws RelayError RELAY_BAD_REQUEST, RELAY_HEADS_UNKNOWN
   */
  headsOf (id: DocumentId, text: string): Hash[] {
    if (!isDigest(text)) return parseHeads(text)
    const heads = this.#digests.get(`${id} ${text}`)
    if (heads === undefined) throw new RelayError('RELAY_HEADS_UNKNOWN', 'The heads are not known any more; list them')
    return heads
  }

  /**
   * The document at some heads as JSON text. The same is made once, and kept for a while.
   * @throws RelayError RELAY_HEADS_UNKNOWN, RELAY_DOCUMENT_TOO_LARGE, RELAY_DOCUMENT_BUSY or as `heads`
   */
  async view (id: DocumentId, heads: Hash[]): Promise<Uint8Array> {
    const key = `${id} ${headsText(heads)}`
    const known = this.#views.get(key) ?? this.#pending.get(key)
    if (known !== undefined) return await known
    const made = this.#chunks(id).then(async chunks => await this.#workers.run('view', chunks, heads))
    this.#pending.set(key, made)
    try {
      const view = await made
      this.#views.set(key, view)
      return view
    } finally {
      this.#pending.delete(key)
    }
  }

  /** The JSON Patch, as text, that makes the view at some heads that at others. @throws as `view` */
  async diff (id: DocumentId, from: Hash[], to: Hash[]): Promise<Uint8Array> {
    return await this.#workers.run('diff', await this.#chunks(id), from, to)
  }

  /** Some of the changes up to some heads, the newest first. @throws as `view` */
  async history (id: DocumentId, heads: Hash[], offset: number, limit: number): Promise<HistoryPage> {
    return await this.#workers.run('history', await this.#chunks(id), heads, offset, limit)
  }

  /** As `Automerge.save` gives it. @throws as `heads` */
  async snapshot (id: DocumentId): Promise<Uint8Array> {
    const snapshot = await this.#parts.sync.snapshot(id)
    if (snapshot === null) throw new RelayError('RELAY_DOCUMENT_NOT_FOUND', `Document not found: ${id}`)
    return snapshot
  }

  /**
   * Makes a document of JSON text. Durable when resolved, as all that follow.
   * @throws RelayError RELAY_BAD_REQUEST, RELAY_PATCH_INVALID, RELAY_DOCUMENT_BUSY, RELAY_DOCUMENT_TOO_LARGE,
   *   RELAY_STORAGE_FAILED
   */
  async create (json: Uint8Array, message?: string): Promise<Created> {
    return await this.#store(await this.#workers.run('create', json, message))
  }

  /**
   * Makes a document of what `Automerge.save` gives, or its like.
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_STORAGE_FAILED
   */
  async import (chunks: Uint8Array): Promise<Created> {
    const { heads } = await this.#parts.automerge.inspect([chunks])
    if (heads.length === 0) throw new RelayError('RELAY_DOCUMENT_INVALID', 'a document without any change')
    return await this.#store(chunks)
  }

  /**
   * Changes a document; patches of the same one are applied one after the other, and merge with what peers do
   * meanwhile.
   * @param permits whether it may be changed as it is: asked with its heads, which it then still has when it is changed
   * @returns its heads then
   * @throws RelayError RELAY_PRECONDITION_FAILED, RELAY_PATCH_INVALID, RELAY_PATCH_CONFLICT, RELAY_BAD_REQUEST or as
   *   `view`
   */
  async patch (id: DocumentId, patch: Patch, permits?: (heads: Hash[]) => boolean): Promise<Hash[]> {
    return await this.#queue.run(id, async () => {
      const before = await this.heads(id)
      const expected = permits === undefined ? undefined : before
      if (permits?.(before) === false) throw changed()
      const { change, heads } = await this.#workers.run('edit', await this.#chunks(id), {
        ...patch, actor: this.#actor
      })
      if (expected !== undefined && headsText(heads) !== headsText(expected)) throw changed()
      if (change === null) return heads
      await this.#apply(id, change, expected)
      return await this.heads(id)
    })
  }

  /**
   * Deletes a document for good.
   * @param permits as for `patch`
   * @throws RelayError RELAY_PRECONDITION_FAILED or as `heads`
   */
  async remove (id: DocumentId, permits: (heads: Hash[]) => boolean): Promise<void> {
    await this.#queue.run(id, async () => {
      if (!permits(await this.#headsOrNone(id))) throw changed()
      await this.#parts.sync.remove(id)
    })
  }

  async close (): Promise<void> {
    await this.#workers.close()
  }

  /** None of a document of which nothing can be read: it can be deleted all the same. */
  async #headsOrNone (id: DocumentId): Promise<Hash[]> {
    return await this.heads(id).catch((error: unknown) => {
      if (codeOf(error) === 'RELAY_DOCUMENT_DAMAGED') return []
      throw error
    })
  }

  async #store (chunks: Uint8Array): Promise<Created> {
    const id = newDocumentId()
    await this.#parts.sync.merge(id, [chunks], true)
    return { id, heads: await this.heads(id) }
  }

  async #apply (id: DocumentId, change: Uint8Array, expected: Hash[] | undefined): Promise<void> {
    try {
      await this.#parts.sync.apply(id, [change], expected)
    } catch (error) {
      // it may have been seen by some and be lost: the actor must not make another change of the same number
      if (codeOf(error) !== 'RELAY_PRECONDITION_FAILED') this.#actor = newActor()
      throw error
    }
  }

  async #chunks (id: DocumentId): Promise<Uint8Array[]> {
    const { storage, maxDocument } = this.#parts
    const chunks = await storage.chunks(id)
    const size = chunks.reduce((sum, { length }) => sum + length, 0)
    if (size > maxDocument) {
      throw new RelayError(
        'RELAY_DOCUMENT_TOO_LARGE',
      `The document takes ${size} bytes; no more than ${maxDocument} are opened. Its snapshot can be had`
      )
    }
    return chunks
  }
}

const newActor = (): string => randomBytes(16).toString('hex')

const changed = (): RelayError => new RelayError('RELAY_PRECONDITION_FAILED', 'The document has changed')

import { randomUUID } from 'node:crypto'
import { RelayError, codeOf, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { ChunkSize, ChunkStore, StoredChunk } from './chunk-store.ts'
import type { Footprint } from './document-store.ts'
import { STORAGE_ID_KEY, type StorageKey } from './key.ts'
import type { Fence } from './local/lock.ts'
import { deletedDocument, isTombstone, tombstone, tombstoneOf } from './tombstone.ts'

const KINDS = ['snapshot', 'incremental']

/** Whether a key is that of a part of a document; peers' sync states are not. */
const isChunk = ([, kind]: StorageKey): boolean => KINDS.includes(kind!)

/**
 * Of what is stored below a document, its chunks, snapshots first.
 * @throws RelayError RELAY_DOCUMENT_DELETED
 */
function chunksOf<Stored extends { key: string[] }> (id: DocumentId, stored: Stored[]): Stored[] {
  if (stored.some(({ key }) => isTombstone(key))) throw deletedDocument(id)
  return KINDS.flatMap(kind => stored.filter(({ key }) => key[1] === kind))
}

/** The same of keys. @throws RelayError RELAY_DOCUMENT_DELETED */
export const keysOf = (id: DocumentId, keys: string[][]): string[][] =>
  chunksOf(id, keys.map(key => ({ key }))).map(({ key }) => key)

/**
 * The documents that are kept in a chunk store. Chunks are removed when nobody reads their document any more who may
 * have seen them: most stores cannot tell what was there at one moment. Errors as the store's.
 */
export class DocumentChunks {
  readonly #store: ChunkStore
  readonly #fence: Fence | undefined
  /** Reads under way, by document. */
  readonly #reads = new Map<string, Set<Promise<unknown>>>()
  #id = ''

  /** @param fence whether the store is still one's own, which is asked before anything is written or deleted */
  constructor (store: ChunkStore, fence?: Fence) {
    this.#store = store
    this.#fence = fence
  }

  /** The store's own id, a UUID; known after `open`. */
  get id (): string { return this.#id }

  /** Makes the store usable, and reads or makes its id. */
  async open (): Promise<void> {
    await this.#writing(async () => { await this.#store.open() })
    const known = await this.#doing(async () => await this.#store.load(STORAGE_ID_KEY))
    this.#id = known === undefined ? randomUUID() : Buffer.from(known).toString().trim()
    if (known === undefined) await this.save(STORAGE_ID_KEY, Buffer.from(this.#id))
  }

  async probe (): Promise<void> { await this.#writing(async () => { await this.#store.probe() }) }

  async * ids (query: { after?: string, prefix?: string }): AsyncGenerator<DocumentId> {
    try {
      yield * this.#store.ids(query)
    } catch (error) {
      throw failed(error)
    }
  }

  async save (key: StorageKey, data: Uint8Array): Promise<void> {
    await this.#writing(async () => { await this.#store.save(key, data) })
  }

  async remove (key: StorageKey): Promise<void> {
    await this.#readsOver(key[0]!)
    await this.#writing(async () => { await this.#store.remove(key) })
  }

  /** The keys of a document's chunks and their sizes. @throws RelayError RELAY_DOCUMENT_DELETED */
  async sizes (id: DocumentId): Promise<ChunkSize[]> {
    return chunksOf(id, await this.#doing(async () => await this.#store.sizes([id])))
  }

  /** What a document's chunks take. @throws RelayError RELAY_DOCUMENT_DELETED */
  async footprint (id: DocumentId): Promise<Footprint> {
    const sizes = await this.sizes(id)
    return { files: sizes.length, bytes: sizes.reduce((sum, { size }) => sum + size, 0) }
  }

  /** All chunks of a document, snapshots first. @throws RelayError RELAY_DOCUMENT_DELETED */
  async load (id: DocumentId): Promise<StoredChunk[]> {
    const isWanted = (key: StorageKey): boolean => isChunk(key) || isTombstone(key)
    const reading = this.#doing(async () => await this.#store.loadRange([id], isWanted))
    const reads = this.#reads.get(id) ?? new Set()
    this.#reads.set(id, reads.add(reading))
    try {
      return chunksOf(id, await reading)
    } finally {
      reads.delete(reading)
      if (reads.size === 0 && this.#reads.get(id) === reads) this.#reads.delete(id)
    }
  }

  /**
   * Says that a document has been deleted, then deletes what there is of it. Durable when resolved; may be done again.
   */
  async bury (id: DocumentId): Promise<void> {
    await this.save(tombstoneOf(id), tombstone())
    await this.#readsOver(id)
    for (const kind of [...KINDS, 'sync-state']) {
      await this.#writing(async () => { await this.#store.removeRange([id, kind]) })
    }
  }

  /** Resolves when the reads of a document that are under way now have ended, however they do. */
  async #readsOver (id: string): Promise<void> {
    await Promise.allSettled(this.#reads.get(id) ?? [])
  }

  async #writing (run: () => Promise<void>): Promise<void> {
    await this.#fence?.check()
    await this.#doing(run)
  }

  async #doing<T> (run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw failed(error)
    }
  }
}

const EXPECTED = ['RELAY_STORAGE_FAILED', 'RELAY_STORAGE_LOST', 'RELAY_ID_INVALID']

/** What a store says in its own words. */
function failed (error: unknown): unknown {
  if (error instanceof RelayError && EXPECTED.includes(codeOf(error)!)) return error
  return new RelayError('RELAY_STORAGE_FAILED', `the storage adapter: ${messageOf(error)}`, { cause: error })
}

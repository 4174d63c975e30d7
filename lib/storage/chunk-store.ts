import type { StorageAdapterInterface } from '@automerge/automerge-repo'
import type { DocumentId } from '../ids.ts'
import type { StorageKey } from './key.ts'

/** A chunk and its key. */
export interface StoredChunk { key: string[], data: Uint8Array }

/** A key and how many bytes are stored there. */
export interface ChunkSize { key: string[], size: number }

/**
 * Where chunks are kept by their keys: one of automerge-repo's storage adapters that can tell as well what there is.
 * Errors are `RelayError`s: RELAY_ID_INVALID for a key that is not in the layout, RELAY_STORAGE_FAILED when the store
 * fails, and from what writes or deletes RELAY_STORAGE_LOST when the store is another relay’s by now.
 */
export interface ChunkStore extends StorageAdapterInterface {
  /** Makes the store usable. Called once, before anything else. */
  open (): Promise<void>
  /** Proves that something can be stored. */
  probe (): Promise<void>
  load (key: StorageKey): Promise<Uint8Array | undefined>
  /** Stores or replaces. Whole or not at all, and durable when resolved, as far as the store can promise that. */
  save (key: StorageKey, data: Uint8Array): Promise<void>
  /** Removes what is there, if anything is. */
  remove (key: StorageKey): Promise<void>
  /**
   * All that is stored below a prefix, as far as it is wanted. Of something that is replaced meanwhile (the new stored
   * before the old is removed) the old is there, or the new, or both.
   */
  loadRange (prefix: StorageKey, isWanted?: (key: StorageKey) => boolean): Promise<StoredChunk[]>
  /** Removes all that is stored below a prefix; as durable as `save`. */
  removeRange (prefix: StorageKey): Promise<void>
  /** What is stored below a prefix, without reading it. */
  sizes (prefix: StorageKey): Promise<ChunkSize[]>
  /** The ids of documents in their order: those after `after` that begin with `prefix`. */
  ids (query?: { after?: string, prefix?: string }): AsyncIterable<DocumentId>
}

const AT_ONCE = 16

/** What is stored at some keys; those where nothing is are left out. */
export async function loadAll (store: Pick<ChunkStore, 'load'>, keys: string[][]): Promise<StoredChunk[]> {
  const chunks: StoredChunk[] = []
  for (let n = 0; n < keys.length; n += AT_ONCE) {
    const some = await Promise.all(keys.slice(n, n + AT_ONCE).map(async key => ({ key, data: await store.load(key) })))
    for (const { key, data } of some) if (data !== undefined) chunks.push({ key, data })
  }
  return chunks
}

import type { StorageAdapterInterface } from '@automerge/automerge-repo'
import { LRUCache } from 'lru-cache'
import { RelayError } from '../../errors.ts'
import { isDocumentId, type DocumentId } from '../../ids.ts'
import type { ChunkSize, ChunkStore, StoredChunk } from '../chunk-store.ts'
import { checkKey, isStorageKey, type StorageKey } from '../key.ts'

/** What a host may hand in: any of automerge-repo's storage adapters. One that is a chunk store is asked for more. */
export type StorageAdapter = StorageAdapterInterface | ChunkStore

const EXTRAS = ['open', 'probe', 'sizes', 'ids'] as const // one of these alone may mean anything

const isChunkStore = (adapter: StorageAdapter): adapter is ChunkStore =>
  EXTRAS.every(name => typeof (adapter as Partial<ChunkStore>)[name] === 'function')

/** Below it are the ids of documents, as keys: an adapter cannot be asked for them. */
const INDEX = 'relay-documents'
const PROBE = ['relay-probe']
const MARK = new Uint8Array([1])
const MAX_KNOWN = 2_000 // documents of which is known what is stored
const MAX_LISTED = 100_000 // documents that are known to be in the index

/**
 * Any of automerge-repo's storage adapters as a chunk store. It promises what the adapter does: whether `save` is
 * atomic, and durable when it resolves, is the adapter's. Nobody else may write what is kept there. An adapter that
 * cannot list keys is read to find out sizes; what was found is remembered.
 */
export class AdapterChunks implements ChunkStore {
  readonly #adapter: StorageAdapterInterface
  /** The same, if it is one. */
  readonly #store: ChunkStore | undefined
  /** By document and key. */
  readonly #sizes = new LRUCache<string, Map<string, ChunkSize>>({ max: MAX_KNOWN })
  /** Documents whose sizes are being found out; those that change meanwhile are taken out. */
  readonly #measuring = new Set<string>()
  readonly #listed = new LRUCache<string, true>({ max: MAX_LISTED })

  constructor (adapter: StorageAdapter) {
    this.#adapter = adapter
    this.#store = isChunkStore(adapter) ? adapter : undefined
  }

  async open (): Promise<void> {
    if (this.#store === undefined) await this.probe()
    else await this.#store.open()
  }

  async probe (): Promise<void> {
    if (this.#store === undefined) await this.#adapter.save(PROBE, MARK)
    else await this.#store.probe()
  }

  async load (key: StorageKey): Promise<Uint8Array | undefined> {
    return bytesOf(await this.#adapter.load([...checkKey(key)]))
  }

  async save (key: StorageKey, data: Uint8Array): Promise<void> {
    const [id] = checkKey(key)
    if (isDocumentId(id)) await this.#list(id)
    // a copy: it may be kept, and these bytes are part of others
    await this.#adapter.save([...key], new Uint8Array(data))
    this.#measuring.delete(id!)
    this.#sizes.get(id!)?.set(String(key), { key: [...key], size: data.length })
  }

  async remove (key: StorageKey): Promise<void> {
    await this.#adapter.remove([...checkKey(key)])
    this.#measuring.delete(key[0]!)
    this.#sizes.get(key[0]!)?.delete(String(key))
  }

  async loadRange (prefix: StorageKey, isWanted = (_key: StorageKey): boolean => true): Promise<StoredChunk[]> {
    const all = [...checkKey(prefix)]
    const found = await (this.#store?.loadRange(all, isWanted) ?? this.#adapter.loadRange(all))
    const chunks: StoredChunk[] = []
    for (const { key, data } of found) {
      const bytes = bytesOf(data)
      if (bytes !== undefined && isBelow(key, prefix) && isWanted(key)) chunks.push({ key, data: bytes })
    }
    return chunks
  }

  async removeRange (prefix: StorageKey): Promise<void> {
    await this.#adapter.removeRange([...checkKey(prefix)])
    this.#measuring.delete(prefix[0]!)
    this.#sizes.delete(prefix[0]!)
  }

  async sizes (prefix: StorageKey): Promise<ChunkSize[]> {
    const id = checkKey(prefix)[0]!
    const sizes = this.#sizes.get(id) ?? await this.#measure(id)
    return [...sizes.values()].filter(({ key }) => isBelow(key, prefix))
  }

  async * ids ({ after = '', prefix = '' } = {}): AsyncGenerator<DocumentId> {
    if (this.#store !== undefined) {
      yield * this.#store.ids({ after, prefix })
      return
    }
    const index = await this.#adapter.loadRange([INDEX])
    const ids = index.map(({ key }) => key.at(-1)).filter(isDocumentId)
    yield * ids.filter(id => id > after && id.startsWith(prefix)).sort()
  }

  async #measure (id: string): Promise<Map<string, ChunkSize>> {
    this.#measuring.add(id)
    const found = await (this.#store?.sizes([id]) ?? this.#sizesOf([id]))
    const sizes = new Map(found.map(size => [String(size.key), size]))
    if (this.#measuring.delete(id)) this.#sizes.set(id, sizes)
    return sizes
  }

  async #sizesOf (prefix: StorageKey): Promise<ChunkSize[]> {
    return (await this.loadRange(prefix)).map(({ key, data }) => ({ key, size: data.length }))
  }

  /** Puts a document into the index, before anything of it is stored. */
  async #list (id: DocumentId): Promise<void> {
    if (this.#store !== undefined || this.#listed.has(id)) return
    const key = [INDEX, id]
    if (await this.#adapter.load(key) === undefined) await this.#adapter.save(key, MARK)
    this.#listed.set(id, true)
  }
}

const isBelow = (key: string[], prefix: StorageKey): boolean =>
  key.length > prefix.length && isStorageKey(key) && prefix.every((part, n) => key[n] === part)

/** @throws RelayError RELAY_STORAGE_FAILED for what is no bytes */
function bytesOf (data: unknown): Uint8Array | undefined {
  if (data === undefined || data === null || data instanceof Uint8Array) return data ?? undefined
  throw new RelayError('RELAY_STORAGE_FAILED', `the storage adapter loaded what is no Uint8Array: ${typeof data}`)
}

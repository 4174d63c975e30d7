import {
  generateAutomergeUrl, parseAutomergeUrl, type Chunk, type StorageAdapterInterface, type StorageKey
} from '@automerge/automerge-repo'
import type { ChunkStore } from '../../../lib/storage/chunk-store.ts'

/**
 * A chunk store as no more than one of automerge-repo's storage adapters. Chunk stores take document ids only, and the
 * suite has names of its own in their place: each stands for an id here.
 */
export class ChunkAdapter implements StorageAdapterInterface {
  readonly #store: ChunkStore
  readonly #ids = new Map<string, string>()

  constructor (store: ChunkStore) {
    this.#store = store
  }

  async load (key: StorageKey): Promise<Uint8Array | undefined> {
    const data = await this.#store.load(this.#inner(key))
    return data && new Uint8Array(data)
  }

  async save (key: StorageKey, data: Uint8Array): Promise<void> { await this.#store.save(this.#inner(key), data) }
  async remove (key: StorageKey): Promise<void> { await this.#store.remove(this.#inner(key)) }
  async removeRange (prefix: StorageKey): Promise<void> { await this.#store.removeRange(this.#inner(prefix)) }

  async loadRange (prefix: StorageKey): Promise<Chunk[]> {
    const chunks = await this.#store.loadRange(this.#inner(prefix))
    return chunks.map(({ key: [id, ...rest], data }) => ({
      key: [[...this.#ids].find(([, inner]) => inner === id)![0], ...rest], data: new Uint8Array(data)
    }))
  }

  #inner ([name, ...rest]: StorageKey): string[] {
    if (name === 'storage-adapter-id') return [name]
    let id = this.#ids.get(name!)
    if (id === undefined) this.#ids.set(name!, id = parseAutomergeUrl(generateAutomergeUrl()).documentId)
    return [id, ...rest]
  }
}

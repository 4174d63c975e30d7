import type { Chunk, StorageAdapterInterface, StorageKey } from '@automerge/automerge-repo'

/** A client's storage, of which copies can be kept and brought back. */
export class MemoryStorage implements StorageAdapterInterface {
  readonly #values: Map<string, Uint8Array>

  constructor (values: Iterable<[string, Uint8Array]> = []) {
    this.#values = new Map(values)
  }

  copy (): MemoryStorage { return new MemoryStorage(this.#values) }

  /** The documents as they are here, with the sync states of another: of a client that died between writing the two. */
  withSyncStatesOf (other: MemoryStorage): MemoryStorage {
    const isSyncState = ([name]: [string, Uint8Array]): boolean => name.includes('/sync-state/')
    return new MemoryStorage(
      [...this.#values].filter(entry => !isSyncState(entry)).concat([...other.#values].filter(isSyncState))
    )
  }

  /** All that is kept of a document. */
  chunks (id: string): Uint8Array[] {
    return [...this.#values].filter(
      ([name]) => name.startsWith(`${id}/snapshot/`) || name.startsWith(`${id}/incremental/`)
    )
      .map(([, data]) => data)
  }

  async load (key: StorageKey): Promise<Uint8Array | undefined> { return this.#values.get(key.join('/')) }
  async save (key: StorageKey, data: Uint8Array): Promise<void> { this.#values.set(key.join('/'), data) }
  async remove (key: StorageKey): Promise<void> { this.#values.delete(key.join('/')) }

  async loadRange (prefix: StorageKey): Promise<Chunk[]> {
    return this.#below(prefix).map(name => ({ key: name.split('/'), data: this.#values.get(name) }))
  }

  async removeRange (prefix: StorageKey): Promise<void> {
    for (const name of this.#below(prefix)) this.#values.delete(name)
  }

  #below (prefix: StorageKey): string[] {
    const start = prefix.join('/')
    return [...this.#values.keys()].filter(name => name === start || name.startsWith(`${start}/`))
  }
}

import type { Chunk, StorageAdapterInterface, StorageKey } from '@automerge/automerge-repo'

/**
 * One of automerge-repo's storage adapters as a database is one: it lists keys, and then reads what is there by then.
 */
export class MemoryAdapter implements StorageAdapterInterface {
  readonly stored = new Map<string, { key: StorageKey, data: Uint8Array }>()
  /** Between a list and the reads that follow it. */
  listed = async (): Promise<void> => {}
  /** Calls by their names. */
  readonly calls: string[] = []

  has (key: StorageKey): boolean { return this.stored.has(String(key)) }

  async load (key: StorageKey): Promise<Uint8Array | undefined> {
    this.calls.push('load')
    return this.stored.get(String(key))?.data
  }

  async save (key: StorageKey, data: Uint8Array): Promise<void> {
    this.calls.push('save')
    this.stored.set(String(key), { key, data })
  }

  async remove (key: StorageKey): Promise<void> { this.stored.delete(String(key)) }

  async loadRange (prefix: StorageKey): Promise<Chunk[]> {
    this.calls.push('loadRange')
    const keys = this.#below(prefix)
    await this.listed()
    return keys.flatMap(key => this.stored.get(String(key)) ?? [])
  }

  async removeRange (prefix: StorageKey): Promise<void> {
    for (const key of this.#below(prefix)) this.stored.delete(String(key))
  }

  #below (prefix: StorageKey): StorageKey[] {
    return [...this.stored.values()].map(({ key }) => key).filter(key => prefix.every((part, n) => key[n] === part))
  }
}

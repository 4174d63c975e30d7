import { generateAutomergeUrl, parseAutomergeUrl, type Chunk, type StorageAdapterInterface, type StorageKey } from '@automerge/automerge-repo'
import type { StorageFolder } from '../../../lib/storage/local/folder-chunks.ts'

/**
 * The relay's folder as one of automerge-repo's storage adapters. The folder takes document ids only, and the suite has
 * names of its own in their place: each stands for an id here.
 */
export class FolderAdapter implements StorageAdapterInterface {
  readonly #folder: StorageFolder
  readonly #ids = new Map<string, string>()

  constructor (folder: StorageFolder) {
    this.#folder = folder
  }

  async load (key: StorageKey): Promise<Uint8Array | undefined> {
    const data = await this.#folder.read(this.#inner(key))
    return data && new Uint8Array(data)
  }

  async save (key: StorageKey, data: Uint8Array): Promise<void> { await this.#folder.write(this.#inner(key), data) }
  async remove (key: StorageKey): Promise<void> { await this.#folder.remove(this.#inner(key)) }
  async removeRange (prefix: StorageKey): Promise<void> { await this.#folder.remove(this.#inner(prefix)) }

  async loadRange (prefix: StorageKey): Promise<Chunk[]> {
    const chunks = await this.#folder.readAll(await this.#folder.list(this.#inner(prefix)))
    return chunks.map(({ key: [id, ...rest], data }) => ({ key: [[...this.#ids].find(([, inner]) => inner === id)![0], ...rest], data: new Uint8Array(data) }))
  }

  #inner ([name, ...rest]: StorageKey): string[] {
    if (name === 'storage-adapter-id') return [name]
    let id = this.#ids.get(name!)
    if (id === undefined) this.#ids.set(name!, id = parseAutomergeUrl(generateAutomergeUrl()).documentId)
    return [id, ...rest]
  }
}

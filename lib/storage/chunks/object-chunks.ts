import { isDocumentId, type DocumentId } from '../../ids.ts'
import { allObjects, type ListedObject, type ObjectStore } from '../../objects/object-store.ts'
import { loadAll, type ChunkSize, type ChunkStore, type StoredChunk } from '../chunk-store.ts'
import { isStorageKey, pathOf, type StorageKey } from '../key.ts'

const FOLDER = 'documents'
const AT_ONCE = 16
const BEHIND = '0' // the character after the slash: where what begins with a name and a slash is over

/**
 * Chunks as objects, `documents/<first two characters of the id>/<rest>/<kind>/<name>`: a copy of `documents/` is a
 * folder in the nodefs layout, and the other way round. An object is whole or not there, and durable once it is stored.
 */
export class ObjectChunks implements ChunkStore {
  readonly #objects: ObjectStore

  /** @param objects a bucket or a folder; it is not closed */
  constructor (objects: ObjectStore) {
    this.#objects = objects
  }

  async open (): Promise<void> { await this.probe() }

  async probe (): Promise<void> { await this.#objects.check(`${FOLDER}/`) }

  async load (key: StorageKey): Promise<Uint8Array | undefined> {
    return await this.#objects.read(objectKey(key)) ?? undefined
  }

  async save (key: StorageKey, data: Uint8Array): Promise<void> { await this.#objects.put(objectKey(key), data) }

  async remove (key: StorageKey): Promise<void> { await this.#objects.remove(objectKey(key)) }

  async loadRange (prefix: StorageKey, isWanted = (_key: StorageKey): boolean => true): Promise<StoredChunk[]> {
    for (;;) {
      const keys = (await this.sizes(prefix)).map(({ key }) => key).filter(isWanted)
      const chunks = await loadAll(this, keys)
      if (chunks.length === keys.length) return chunks // else some were replaced meanwhile
    }
  }

  async removeRange (prefix: StorageKey): Promise<void> {
    const keys = (await this.sizes(prefix)).map(({ key }) => key)
    for (let n = 0; n < keys.length; n += AT_ONCE) {
      await Promise.all(keys.slice(n, n + AT_ONCE).map(async key => { await this.remove(key) }))
    }
  }

  async sizes (prefix: StorageKey): Promise<ChunkSize[]> {
    const sizes: ChunkSize[] = []
    for await (const object of allObjects(this.#objects, `${objectKey(prefix)}/`)) {
      const key = storageKey(object)
      if (key !== undefined) sizes.push({ key, size: object.size })
    }
    return sizes
  }

  /** Reads on in the list of all objects; a request tells a thousand. */
  async * ids ({ after = '', prefix = '' } = {}): AsyncGenerator<DocumentId> {
    let last = ''
    for (let from = after === '' ? undefined : `${objectKey([after])}${BEHIND}`; ;) {
      const page = await this.#objects.list({ prefix: `${FOLDER}/${prefix.slice(0, 2)}`, after: from, limit: PAGE })
      for (const object of page) {
        const id = storageKey(object)?.[0]
        if (id === undefined || id === last || !isDocumentId(id) || id <= after || !id.startsWith(prefix)) continue
        last = id
        yield id
      }
      if (page.length < PAGE) return
      from = page.at(-1)!.key
    }
  }
}

const PAGE = 1_000

/** @throws RelayError RELAY_ID_INVALID */
const objectKey = (key: StorageKey): string => [FOLDER, ...pathOf(key)].join('/')

/** Undefined for what is not in the layout, which is nobody's. */
function storageKey ({ key }: ListedObject): string[] | undefined {
  const [, first = '', rest = '', ...inner] = key.split('/')
  const storageKey = [first + rest, ...inner]
  return isStorageKey(storageKey) && inner.length === 2 ? storageKey : undefined
}

import type { DocumentId } from '../../ids.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { BUNDLES, bundleKey, idOfKey } from './key.ts'
import type { BundleFile, BundlePage, BundleStore, ListedBundle, PutOptions, StoredBundle } from './store.ts'

/** Bundles as objects `bundles/<id>.tonk` of a bucket or a folder. */
export class ObjectBundles implements BundleStore {
  readonly #objects: ObjectStore

  constructor (objects: ObjectStore) {
    this.#objects = objects
  }

  async open (id: DocumentId): Promise<StoredBundle | null> {
    return await this.#objects.open(bundleKey(id), { changed: 'RELAY_BUNDLE_CHANGED' })
  }

  async put (id: DocumentId, file: BundleFile, { owner, replaces }: PutOptions = {}): Promise<void> {
    await this.#objects.put(bundleKey(id), file, { owner, replaces })
  }

  /** Objects with another key are no bundles. */
  async list ({ after, limit }: BundlePage): Promise<ListedBundle[]> {
    const listed: ListedBundle[] = []
    for (let last = after === undefined ? undefined : bundleKey(after as DocumentId); ;) {
      const page = await this.#objects.list({ prefix: BUNDLES, after: last, limit })
      for (const { key, size, modified } of page) {
        const id = idOfKey(key)
        if (id !== undefined && listed.length < limit) listed.push({ id, size, modified })
      }
      if (page.length < limit || listed.length === limit) return listed
      last = page.at(-1)!.key
    }
  }

  async remove (id: DocumentId): Promise<void> { await this.#objects.remove(bundleKey(id)) }

  async check (): Promise<void> { await this.#objects.check(BUNDLES) }

  async close (): Promise<void> { await this.#objects.close() }
}

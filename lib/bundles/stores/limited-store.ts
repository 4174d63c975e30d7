import { createHash } from 'node:crypto'
import { codeOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { Limits } from '../../limits/limits.ts'
import { allObjects, type ObjectStore } from '../../objects/object-store.ts'
import type { BundleFile, BundlePage, BundleStore, ListedBundle, PutOptions, StoredBundle } from './store.ts'

const NOTHING = new Uint8Array()

/**
 * A store in which a principal owns only so many bundles. They are counted by an empty object for each,
 * `owned/<SHA-256 of the principal's id>/<id>`: not every store could tell. Bundles from before this was kept count
 * once they are replaced.
 */
export class LimitedStore implements BundleStore {
  readonly list?: (page: BundlePage) => Promise<ListedBundle[]>
  readonly remove?: (id: DocumentId) => Promise<void>
  readonly #store: BundleStore
  readonly #objects: ObjectStore
  readonly #limits: Pick<Limits, 'settings' | 'met'>

  /** @param objects where they are counted */
  constructor (store: BundleStore, objects: ObjectStore, limits: Pick<Limits, 'settings' | 'met'>) {
    this.#store = store
    this.#objects = objects
    this.#limits = limits
    if (store.list !== undefined) this.list = async page => await store.list!(page)
    if (store.remove !== undefined) this.remove = async id => { await this.#remove(id) }
  }

  async open (id: DocumentId): Promise<StoredBundle | null> { return await this.#store.open(id) }

  /** @throws RelayError RELAY_TOO_MANY_BUNDLES, RELAY_STORAGE_FAILED, and as the store does */
  async put (id: DocumentId, file: BundleFile, options: PutOptions = {}): Promise<void> {
    const { owner, replaces } = options
    if (owner === undefined) {
      await this.#store.put(id, file, options)
      return
    }
    const previous = replaces === null ? undefined : await this.#ownerOf(id)
    const isAdded = await this.#count(owner, id) // before it is stored, so that two at once see each other
    try {
      const { bundlesPerPrincipal: max } = this.#limits.settings
      if (replaces === null && await this.#ownsMore(owner, max)) {
        throw this.#limits.met(
          'bundlesPerPrincipal', 'RELAY_TOO_MANY_BUNDLES',
          `You have ${max} bundles, as many as are kept: delete one first`
        )
      }
      await this.#store.put(id, file, options)
    } catch (error) {
      if (isAdded) await this.#uncount(owner, id)
      throw error
    }
    if (previous !== undefined && previous !== owner) await this.#uncount(previous, id)
  }

  async check (): Promise<void> { await this.#store.check() }

  async close (): Promise<void> { await this.#store.close() }

  async #remove (id: DocumentId): Promise<void> {
    const owner = await this.#ownerOf(id)
    await this.#store.remove!(id)
    if (owner !== undefined) await this.#uncount(owner, id)
  }

  async #ownerOf (id: DocumentId): Promise<string | undefined> {
    const stored = await this.#store.open(id)
    await stored?.close()
    return stored?.owner
  }

  /** Counts a bundle with the others of its owner. @returns whether it did not count yet */
  async #count (owner: string, id: DocumentId): Promise<boolean> {
    try {
      await this.#objects.put(ownedPrefix(owner) + id, NOTHING, { replaces: null })
      return true
    } catch (error) {
      if (codeOf(error) === 'RELAY_PRECONDITION_FAILED') return false
      throw error
    }
  }

  async #uncount (owner: string, id: DocumentId): Promise<void> {
    await this.#objects.remove(ownedPrefix(owner) + id)
  }

  async #ownsMore (owner: string, max: number): Promise<boolean> {
    const owned = new Set<string>()
    for await (const { key } of allObjects(this.#objects, ownedPrefix(owner))) {
      if (owned.add(key).size > max) return true
    }
    return false
  }
}

const ownedPrefix = (owner: string): string => `owned/${createHash('sha256').update(owner).digest('hex')}/`

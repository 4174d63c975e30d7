import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { Limits } from '../../limits/limits.ts'
import type { BundleFile, BundlePage, BundleStore, ListedBundle, PutOptions, StoredBundle } from './store.ts'

/**
 * A store in which a principal owns only so many bundles. They are counted by an empty file for each, in a folder per
 * principal whose name is the SHA-256 of its id: not every store could tell. Bundles from before this was kept count
 * once they are replaced.
 */
export class LimitedStore implements BundleStore {
  readonly list?: (page: BundlePage) => Promise<ListedBundle[]>
  readonly remove?: (id: DocumentId) => Promise<void>
  readonly #store: BundleStore
  readonly #folder: string
  readonly #limits: Pick<Limits, 'settings' | 'met'>

  /** @param folder where they are counted */
  constructor (store: BundleStore, folder: string, limits: Pick<Limits, 'settings' | 'met'>) {
    this.#store = store
    this.#folder = folder
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
    const { isAdded, count } = await this.#count(owner, id)
    try {
      const { bundlesPerPrincipal: max } = this.#limits.settings
      if (replaces === null && count > max) throw this.#limits.met('bundlesPerPrincipal', 'RELAY_TOO_MANY_BUNDLES', `You have ${max} bundles, as many as are kept: delete one first`)
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

  /** Counts a bundle with the others of its owner; before it is stored, so that two at once see each other. */
  async #count (owner: string, id: DocumentId): Promise<{ isAdded: boolean, count: number }> {
    const folder = this.#of(owner)
    return await disk(folder, async () => {
      await mkdir(folder, { recursive: true })
      const isAdded = await makeFile(path.join(folder, id))
      return { isAdded, count: (await readdir(folder)).length }
    })
  }

  async #uncount (owner: string, id: DocumentId): Promise<void> {
    const file = path.join(this.#of(owner), id)
    await disk(file, async () => { await rm(file, { force: true }) })
  }

  #of (owner: string): string { return path.join(this.#folder, createHash('sha256').update(owner).digest('hex')) }
}

/** @returns whether it was not there */
async function makeFile (file: string): Promise<boolean> {
  try {
    await writeFile(file, '', { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function disk<T> (file: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    throw new RelayError('RELAY_STORAGE_FAILED', `storage ${file}: ${messageOf(error)}`, { cause: error })
  }
}

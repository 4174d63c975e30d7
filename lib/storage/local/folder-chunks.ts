import { readdir, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { isDocumentId, type DocumentId } from '../../ids.ts'
import { clearScratch, makeFolder, syncFolder, writeAtomic } from '../../objects/atomic-file.ts'
import { loadAll, type ChunkSize, type ChunkStore, type StoredChunk } from '../chunk-store.ts'
import { isStorageKey, storagePath, type StorageKey } from '../key.ts'

/**
 * Chunks in a folder, readable and writable by automerge-repo's nodefs adapter and by samod: one file each. Files are
 * whole or not there, and on disk when they are stored. Nothing is cached. Errors name the path.
 */
export class FolderChunks implements ChunkStore {
  readonly folder: string
  /** For files being written; no key leads into it. On the same file system as the documents. */
  readonly scratch: string

  constructor (folder: string) {
    this.folder = path.resolve(folder)
    this.scratch = path.join(this.folder, 'tmp')
  }

  /** Makes the folder, proves that it can be written, and clears away what a killed process left. */
  async open (): Promise<void> {
    await this.probe()
    await this.#disk(this.folder, async () => { await clearScratch(this.scratch) })
  }

  /** Proves that a file can be written and is on disk then. */
  async probe (): Promise<void> {
    await this.#disk(this.folder, async () => {
      await makeFolder(this.scratch)
      const file = path.join(this.scratch, 'probe')
      await writeAtomic(file, new Uint8Array(1), this.scratch)
      await rm(file)
    })
  }

  async load (key: StorageKey): Promise<Uint8Array | undefined> {
    const file = storagePath(this.folder, key)
    return await this.#disk(file, async () => await readFile(file), undefined)
  }

  /** Atomic, and on disk when resolved. */
  async save (key: StorageKey, data: Uint8Array): Promise<void> {
    const file = storagePath(this.folder, key)
    await this.#disk(file, async () => await writeAtomic(file, data, this.scratch))
  }

  async remove (key: StorageKey): Promise<void> {
    const file = storagePath(this.folder, key)
    await this.#disk(file, async () => await rm(file, { force: true }))
  }

  /**
   * Files can be replaced by another meanwhile, which is there before they go: so if a listed one is gone, or a new one
   * has come, all is read again.
   */
  async loadRange (prefix: StorageKey, isWanted = (_key: StorageKey): boolean => true): Promise<StoredChunk[]> {
    const list = async (): Promise<string[][]> => (await this.list(prefix)).filter(isWanted)
    for (;;) {
      const keys = await list()
      if (keys.length === 0) return []
      const chunks = await loadAll(this, keys)
      const names = new Set(keys.map(String))
      const isWhole = chunks.length === keys.length && (await list()).every(key => names.has(String(key)))
      if (isWhole) return chunks
    }
  }

  async removeRange (prefix: StorageKey): Promise<void> {
    const folder = storagePath(this.folder, prefix)
    await this.#disk(folder, async () => {
      await rm(folder, { recursive: true, force: true })
      await syncFolder(path.dirname(folder))
    }, undefined)
  }

  /** The keys of all files below a prefix; files that are not in the layout are nobody's. */
  async list (prefix: StorageKey): Promise<string[][]> {
    const folder = storagePath(this.folder, prefix)
    const entries = await this.#disk(
      folder, async () => await readdir(folder, { recursive: true, withFileTypes: true }), []
    )
    return entries.filter(entry => entry.isFile()).map(entry => {
      const inner = path.relative(folder, path.join(entry.parentPath, entry.name))
      return [...prefix, ...inner.split(path.sep)]
    }).filter(isStorageKey)
  }

  async sizes (prefix: StorageKey): Promise<ChunkSize[]> {
    const sizes = await Promise.all((await this.list(prefix)).map(async key => {
      const file = storagePath(this.folder, key)
      return { key, size: await this.#disk(file, async () => (await stat(file)).size, undefined) }
    }))
    return sizes.filter((size): size is ChunkSize => size.size !== undefined) // those that are not gone meanwhile
  }

  /** Reads no more folders than it must. */
  async * ids ({ after = '', prefix = '' } = {}): AsyncGenerator<DocumentId> {
    for (const first of await this.#folders('')) {
      if (first.length !== 2 || first < after.slice(0, 2) || !(first.startsWith(prefix) || prefix.startsWith(first))) {
        continue
      }
      for (const rest of await this.#folders(first)) {
        const id = first + rest
        if (id > after && id.startsWith(prefix) && isDocumentId(id)) yield id
      }
    }
  }

  /** The names of the folders in one, sorted. */
  async #folders (name: string): Promise<string[]> {
    const folder = path.join(this.folder, name)
    const entries = await this.#disk(folder, async () => await readdir(folder, { withFileTypes: true }), [])
    return entries.filter(entry => entry.isDirectory()).map(entry => entry.name).sort()
  }

  async #disk<T> (file: string, run: () => Promise<T>, ...absent: [T?]): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (absent.length > 0 && codeOf(error) === 'ENOENT') return absent[0] as T
      throw new RelayError('RELAY_STORAGE_FAILED', `storage ${file}: ${messageOf(error)}`, { cause: error })
    }
  }
}

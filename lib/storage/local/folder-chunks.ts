import { randomUUID } from 'node:crypto'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { isDocumentId, type DocumentId } from '../../ids.ts'
import { clearScratch, makeFolder, syncFolder, writeAtomic } from '../../objects/atomic-file.ts'
import { STORAGE_ID_KEY, isStorageKey, storagePath, type StorageKey } from '../key.ts'
import { deletedDocument, isTombstone, tombstone, tombstoneOf } from '../tombstone.ts'
import type { Fence } from './lock.ts'

export interface StoredChunk { key: string[], data: Uint8Array }

const READS_AT_ONCE = 16

/**
 * Documents in a folder, readable and writable by automerge-repo's nodefs adapter and by samod: one file per chunk.
 * Nothing is cached. All methods reject with RELAY_ID_INVALID for a bad key and RELAY_STORAGE_FAILED, naming the path,
 * when the disk fails; those that write or delete with RELAY_STORAGE_LOST, too.
 */
export class StorageFolder {
  readonly folder: string
  /** For files being written; no key leads into it. On the same file system as the documents. */
  readonly scratch: string
  readonly #fence: Fence | undefined
  #id = ''

  /** @param fence whether the folder is still one's own; without one, nothing may be written while somebody uses it */
  constructor (folder: string, fence?: Fence) {
    this.#fence = fence
    this.folder = path.resolve(folder)
    this.scratch = path.join(this.folder, 'tmp')
  }

  /** This storage's own id, a UUID kept at `st/orage-adapter-id`; known after `open`. */
  get id (): string { return this.#id }

  /** Makes the folder, proves that it can be written, and reads or makes its id. */
  async open (): Promise<void> {
    await this.probe()
    await this.#disk(this.folder, async () => { await clearScratch(this.scratch) })
    const known = await this.read(STORAGE_ID_KEY)
    this.#id = known === undefined ? randomUUID() : Buffer.from(known).toString().trim()
    if (known === undefined) await this.write(STORAGE_ID_KEY, Buffer.from(this.#id))
  }

  /** Proves that a file can be written and is on disk then. */
  async probe (): Promise<void> {
    await this.#fence?.check()
    await this.#disk(this.folder, async () => {
      await makeFolder(this.scratch)
      const file = path.join(this.scratch, 'probe')
      await writeAtomic(file, new Uint8Array(1), this.scratch)
      await rm(file)
    })
  }

  /** One file's bytes, or undefined when there is none. */
  async read (key: StorageKey): Promise<Uint8Array | undefined> {
    const file = storagePath(this.folder, key)
    return await this.#disk(file, async () => await readFile(file), undefined)
  }

  /** Atomic, and on disk when resolved. */
  async write (key: StorageKey, data: Uint8Array): Promise<void> {
    const file = storagePath(this.folder, key)
    await this.#fence?.check()
    await this.#disk(file, async () => await writeAtomic(file, data, this.scratch))
  }

  async remove (key: StorageKey): Promise<void> {
    const file = storagePath(this.folder, key)
    await this.#fence?.check()
    await this.#disk(file, async () => await rm(file, { recursive: true, force: true }))
  }

  /** The keys of all files at or below a prefix; files that are not in the layout are nobody's. */
  async list (prefix: StorageKey): Promise<string[][]> {
    const folder = storagePath(this.folder, prefix)
    const entries = await this.#disk(folder, async () => await readdir(folder, { recursive: true, withFileTypes: true }), [])
    return entries.filter(entry => entry.isFile()).map(entry => {
      const inner = path.relative(folder, path.join(entry.parentPath, entry.name))
      return [...prefix, ...inner.split(path.sep)]
    }).filter(isStorageKey)
  }

  /** The files of some keys with their contents; those that are gone are left out. */
  async readAll (keys: string[][]): Promise<StoredChunk[]> {
    const chunks: StoredChunk[] = []
    for (let n = 0; n < keys.length; n += READS_AT_ONCE) {
      const some = await Promise.all(keys.slice(n, n + READS_AT_ONCE).map(async key => ({ key, data: await this.read(key) })))
      for (const { key, data } of some) if (data !== undefined) chunks.push({ key, data })
    }
    return chunks
  }

  /** The ids of documents in their order: those after `after` that begin with `prefix`. Reads no more folders than it must. */
  async * ids ({ after = '', prefix = '' } = {}): AsyncGenerator<DocumentId> {
    for (const first of await this.#folders('')) {
      if (first.length !== 2 || first < after.slice(0, 2) || !(first.startsWith(prefix) || prefix.startsWith(first))) continue
      for (const rest of await this.#folders(first)) {
        const id = first + rest
        if (id > after && id.startsWith(prefix) && isDocumentId(id)) yield id
      }
    }
  }

  /** What a document's chunks take on disk. */
  async footprint (id: DocumentId): Promise<{ files: number, bytes: number }> {
    const keys = await this.chunkKeys(id)
    const sizes = await Promise.all(keys.map(async key => {
      const file = storagePath(this.folder, key)
      return await this.#disk(file, async () => (await stat(file)).size, 0) // gone meanwhile
    }))
    return { files: keys.length, bytes: sizes.reduce((sum, size) => sum + size, 0) }
  }

  /** The keys of a document's chunks, snapshots first. @throws RelayError RELAY_DOCUMENT_DELETED */
  async chunkKeys (id: DocumentId): Promise<string[][]> {
    const keys = await this.list([id])
    if (keys.some(isTombstone)) throw deletedDocument(id)
    return ['snapshot', 'incremental'].flatMap(kind => keys.filter(key => key[1] === kind))
  }

  /**
   * All files of a document's chunks, snapshots first. Files can be replaced by another meanwhile, which is there before they go:
   * so if a listed one is gone, or a new one has come, all is read again.
   */
  async files (id: DocumentId): Promise<StoredChunk[]> {
    for (;;) {
      const keys = await this.chunkKeys(id)
      if (keys.length === 0) return []
      const files = await this.readAll(keys)
      const names = new Set(keys.map(String))
      const isWhole = files.length === keys.length && (await this.chunkKeys(id)).every(key => names.has(String(key)))
      if (isWhole) return files
    }
  }

  /** The contents of `files`. */
  async chunks (id: DocumentId): Promise<Uint8Array[]> { return (await this.files(id)).map(({ data }) => data) }

  /** Says that a document has been deleted, then deletes what there is of it. On disk when resolved; may be done again. */
  async bury (id: DocumentId): Promise<void> {
    await this.write(tombstoneOf(id), tombstone())
    for (const kind of ['snapshot', 'incremental', 'sync-state']) await this.remove([id, kind])
    const folder = storagePath(this.folder, [id])
    await this.#disk(folder, async () => { await syncFolder(folder) })
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

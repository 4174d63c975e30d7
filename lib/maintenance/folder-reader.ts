import type { DocumentId } from '../ids.ts'
import { loadAll, type StoredChunk } from '../storage/chunk-store.ts'
import { keysOf } from '../storage/document-chunks.ts'
import { FolderChunks } from '../storage/local/folder-chunks.ts'
import { isDeletion } from '../storage/tombstone.ts'
import { JournalView } from './journal-view.ts'

/**
 * A document at one moment: its files, and its changes that are in the journal only (or there still); of one that has
 * been deleted, neither.
 */
export interface ReadDocument { id: DocumentId, files: StoredChunk[], pending: Uint8Array[], isDeleted: boolean }

const AT_ONCE = 8

/**
 * Reads a storage folder beside the relay that uses it, and writes nothing. Relays replace files by others (the new one
 * first), and move what is in the journal into files (the file first): so files are listed, then read, then the journal
 * is read, and when after that there is no file that was not listed, it is all there is, and holds all that it depends
 * on.
 */
export class FolderReader {
  readonly folder: FolderChunks
  readonly journal: JournalView

  constructor (storage: string) {
    this.folder = new FolderChunks(storage)
    this.journal = new JournalView(this.folder.folder)
  }

  /** All documents; those that come meanwhile perhaps, and each once. Several are read at once. */
  async * documents (): AsyncGenerator<ReadDocument> {
    const done = new Set<DocumentId>()
    let group: DocumentId[] = []
    const read = async (): Promise<ReadDocument[]> =>
      await Promise.all(group.splice(0).map(async id => await this.read(id)))
    for await (const id of this.#ids()) {
      if (done.has(id)) continue
      done.add(id)
      if (group.push(id) === AT_ONCE) yield * await read()
    }
    yield * await read()
    group = []
  }

  /** Whether no document has been stored, deleted ones included. */
  async isEmpty (): Promise<boolean> {
    const { done } = await this.#ids().next()
    return done === true
  }

  async read (id: DocumentId): Promise<ReadDocument> {
    try {
      const { files, pending } = await this.#read(id)
      if (pending.every(({ length }) => length > 0)) return { id, files, pending, isDeleted: false }
    } catch (error) {
      if (!isDeletion(error)) throw error
    }
    return { id, files: [], pending: [], isDeleted: true }
  }

  async #read (id: DocumentId): Promise<{ files: StoredChunk[], pending: Uint8Array[] }> {
    for (;;) {
      const keys = await this.#keys(id)
      const files = await loadAll(this.folder, keys)
      await this.journal.refresh()
      const names = new Set(keys.map(String))
      const isWhole = files.length === keys.length && (await this.#keys(id)).every(key => names.has(String(key)))
      if (isWhole) return { files, pending: this.journal.changes(id) }
    }
  }

  async #keys (id: DocumentId): Promise<string[][]> { return keysOf(id, await this.folder.list([id])) }

  /** The ids of folders in the layout, then those that are in the journal; some perhaps twice. */
  async * #ids (): AsyncGenerator<DocumentId> {
    await this.journal.refresh()
    const atFirst = this.journal.ids()
    yield * this.folder.ids()
    yield * atFirst
    await this.journal.refresh()
    yield * this.journal.ids()
  }
}

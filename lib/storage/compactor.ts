import { createHash } from 'node:crypto'
import { splitChunks } from '../automerge/chunk.ts'
import type { AutomergePool } from '../automerge/pool.ts'
import { messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { StorageFolder, StoredChunk } from './folder.ts'

const MANY = 16 // files of a document before they are made one

/** The name of a chunk's file; it carries no meaning for who reads it. */
export const nameOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * Makes the many files of a document few, one document at a time, in the background. At every step what is in two files
 * is merely there twice. A document that Automerge cannot load stays as it is.
 */
export class Compactor {
  readonly #folder: StorageFolder
  readonly #automerge: AutomergePool
  readonly #log: Log
  readonly #stop = new AbortController()
  readonly #waiting = new Set<DocumentId>()
  #running: Promise<void> | undefined

  constructor (folder: StorageFolder, automerge: AutomergePool, log: Log) {
    this.#folder = folder
    this.#automerge = automerge
    this.#log = log
  }

  /** Has a document that got a file looked at. Resolves when nothing waits any more; never rejects. */
  async add (id: DocumentId): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#waiting.add(id)
    await (this.#running ??= this.#run())
  }

  /** Breaks off; what was not done will be when its document gets another file. */
  async close (): Promise<void> {
    this.#stop.abort()
    this.#waiting.clear()
    await this.#running
  }

  async #run (): Promise<void> {
    for (const id of this.#waiting) {
      this.#waiting.delete(id)
      try {
        await this.#compact(id)
      } catch (error) {
        if (this.#stop.signal.aborted) break
        this.#log.error({ documentId: id, err: error }, `document not compacted, its files stay as they are: ${messageOf(error)}`)
      }
    }
    this.#running = undefined
  }

  async #compact (id: DocumentId): Promise<void> {
    const keys = await this.#folder.chunkKeys(id)
    if (keys.length < MANY) return
    const files = await this.#folder.readAll(keys)
    const incrementals = files.filter(({ key }) => key[1] === 'incremental')
    const size = (some: StoredChunk[]) => some.reduce((sum, { data }) => sum + data.length, 0)
    // joining costs no Automerge; a large document is loaded only once there is as much to add to it
    const join = incrementals.length > files.length / 2 && size(incrementals) < size(files) / 2
    const replaced = join ? incrementals : files
    const bytes = replaced.map(({ data }) => data)
    const chunk = join ? joined(bytes) : await this.#automerge.compact(bytes, this.#stop.signal)
    const key = [id, join ? 'incremental' : 'snapshot', nameOf(chunk)]
    await this.#folder.write(key, chunk)
    for (const old of replaced) if (old.key.join() !== key.join()) await this.#folder.remove(old.key)
  }
}

/** Automerge reads joined chunks up to the first that is cut short: none may be. */
function joined (files: Uint8Array[]): Uint8Array {
  for (const bytes of files) splitChunks(bytes)
  return Buffer.concat(files)
}

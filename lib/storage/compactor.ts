import { createHash } from 'node:crypto'
import { splitChunks } from '../automerge/format/chunk.ts'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import { codeOf, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { Damage } from './damage.ts'
import type { StoredChunk } from './chunk-store.ts'
import type { DocumentChunks } from './document-chunks.ts'
import type { StorageKey } from './key.ts'
import { isDeletion } from './tombstone.ts'

const MANY_FILES = 16 // of a document before they are made one

/** The name of a chunk's file; it carries no meaning for who reads it. */
export const nameOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/**
 * Makes the many files of a document few, one document at a time, in the background. At every step what is in two files
 * is merely there twice. What is damaged stays as it is, and so does a document that Automerge cannot load.
 */
export class Compactor {
  readonly #chunks: DocumentChunks
  readonly #damage: Damage
  readonly #automerge: AutomergePool
  readonly #log: Log
  readonly #stop = new AbortController()
  readonly #waiting = new Set<DocumentId>()
  /**
   * Documents that Automerge cannot load: they are tried once more, without what has a wrong checksum, and then left
   * alone.
   */
  readonly #unreadable = new Set<DocumentId>()
  #running: Promise<void> | undefined
  #turn: Promise<unknown> = Promise.resolve()

  constructor (chunks: DocumentChunks, damage: Damage, automerge: AutomergePool, log: Log) {
    this.#chunks = chunks
    this.#damage = damage
    this.#automerge = automerge
    this.#log = log
  }

  /** Documents that wait to be looked at. */
  get backlog (): number { return this.#waiting.size }

  /** Has a document that got a file looked at. Resolves when nothing waits any more; never rejects. */
  async add (id: DocumentId): Promise<void> {
    if (this.#stop.signal.aborted || this.#unreadable.has(id)) return
    this.#waiting.add(id)
    await (this.#running ??= this.#run())
  }

  /**
   * Makes a document one chunk now, and returns it.
   * @param pending what is stored of it elsewhere, which stays there
   * @throws RelayError RELAY_DOCUMENT_INVALID or RELAY_STORAGE_FAILED
   */
  async compact (id: DocumentId, pending: () => Uint8Array[]): Promise<Uint8Array> {
    return await this.#alone(async () => {
      const before = pending() // what moves into files meanwhile is seen twice, never not at all
      const { whole, found } = this.#damage.sift(id, await this.#chunks.load(id))
      const chunk = await this.#automerge.compact([
        ...whole.map(({ data }) => data), ...found, ...new Set([...before, ...pending()])
      ])
      await this.#replace(whole, [id, 'snapshot', nameOf(chunk)], chunk)
      return chunk
    })
  }

  /** Deletes a document's files, and says so in their place. @throws RelayError RELAY_STORAGE_FAILED */
  async bury (id: DocumentId): Promise<void> {
    await this.#alone(async () => { await this.#chunks.bury(id) })
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
        await this.#alone(async () => { await this.#compactMany(id) })
        this.#unreadable.delete(id)
      } catch (error) {
        if (this.#stop.signal.aborted) break
        if (isDeletion(error)) continue
        if (codeOf(error) === 'RELAY_DOCUMENT_INVALID' && !this.#unreadable.has(id)) {
          this.#unreadable.add(id)
          this.#damage.suspect(id)
          this.#waiting.add(id)
          continue
        }
        if (codeOf(error) === 'RELAY_DOCUMENT_BUSY') this.#unreadable.add(id) // it would take as long each time
        this.#log.error(
          { documentId: id, err: error }, `document not compacted, its files stay as they are: ${messageOf(error)}`
        )
      }
    }
    this.#running = undefined
  }

  /** One at a time: what one has listed, another must not remove. */
  async #alone<T> (run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run)
    this.#turn = turn.catch(() => {}) // told to who waits for the turn
    return await turn
  }

  async #compactMany (id: DocumentId): Promise<void> {
    if ((await this.#chunks.sizes(id)).length < MANY_FILES) return
    const { whole: files } = this.#damage.sift(id, await this.#chunks.load(id))
    if (files.length < MANY_FILES) return
    const incrementals = files.filter(({ key }) => key[1] === 'incremental')
    const size = (some: StoredChunk[]) => some.reduce((sum, { data }) => sum + data.length, 0)
    // joining costs no Automerge; a large document is loaded only once there is as much to add to it
    const join = incrementals.length > files.length / 2 && size(incrementals) < size(files) / 2
    const replaced = join ? incrementals : files
    const bytes = replaced.map(({ data }) => data)
    const chunk = join ? joined(bytes) : await this.#automerge.compact(bytes, this.#stop.signal)
    await this.#replace(replaced, [id, join ? 'incremental' : 'snapshot', nameOf(chunk)], chunk)
  }

  async #replace (old: StoredChunk[], key: StorageKey, chunk: Uint8Array): Promise<void> {
    await this.#chunks.save(key, chunk)
    for (const file of old) if (file.key.join() !== key.join()) await this.#chunks.remove(file.key)
  }
}

/** Automerge reads joined chunks up to the first that is cut short: none may be. */
function joined (files: Uint8Array[]): Uint8Array {
  for (const bytes of files) splitChunks(bytes)
  return Buffer.concat(files)
}

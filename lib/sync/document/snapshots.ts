import { Buffer } from 'node:buffer'
import { CHUNK_TYPES, splitChunks, type Chunk } from '../../automerge/format/chunk.ts'
import type { DocumentId } from '../../ids.ts'
import type { DocumentStore } from '../../storage/document-store.ts'

/** A document's chunks, durable, with every change up to a version and perhaps some after. */
export interface Snapshot { version: number, bytes: Uint8Array }

const KEPT_FOR = 5_000 // ms
const MAX_CHANGES_BESIDE = 32 // changes beside the document chunk
const MAX_SHARE_BESIDE = 0.05 // of all bytes

/** What is sent to peers that have nothing of a document yet: read once for all that ask at about the same time. */
export class Snapshots {
  readonly #id: DocumentId
  readonly #documents: DocumentStore
  #current: Promise<Snapshot> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor (id: DocumentId, documents: DocumentStore) {
    this.#id = id
    this.#documents = documents
  }

  /**
   * @param version of the document now
   * @param isUseful whether the changes after a version are at hand
   * @param durable resolves when everything that is stored by now is durable
   */
  async get (version: number, isUseful: (version: number) => boolean, durable: () => Promise<void>): Promise<Snapshot> {
    const current = this.#current
    const snapshot = await current
    if (snapshot !== undefined && isUseful(snapshot.version)) return snapshot
    if (this.#current !== current) return await this.get(version, isUseful, durable) // somebody has begun to read one
    const next = this.#current = this.#read(version, durable)
    next.then(() => { this.#keep(next) }, () => { if (this.#current === next) this.drop() })
    return await next
  }

  /** Keeps a snapshot for a while after it has been read, for those who ask then. */
  #keep (snapshot: Promise<Snapshot>): void {
    if (this.#current !== snapshot) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => { this.drop() }, KEPT_FOR)
    this.#timer.unref()
  }

  drop (): void {
    clearTimeout(this.#timer)
    this.#current = undefined
  }

  async #read (version: number, durable: () => Promise<void>): Promise<Snapshot> {
    let chunks = await this.#documents.chunks(this.#id)
    if (isScattered(chunks)) chunks = [await this.#documents.compact(this.#id)]
    await durable()
    return { version, bytes: chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks) }
  }
}

/** Whether one compact chunk would be a good deal smaller, and quicker to load. */
function isScattered (files: Uint8Array[]): boolean {
  const chunks = files.flatMap(splitChunks)
  const changes = chunks.filter(({ type }) => type !== CHUNK_TYPES.document)
  const size = (some: Chunk[]): number => some.reduce((sum, { bytes }) => sum + bytes.length, 0)
  return chunks.length - changes.length > 1 ||
    (changes.length > MAX_CHANGES_BESIDE && size(changes) > size(chunks) * MAX_SHARE_BESIDE)
}

import type { Log } from '../log.ts'
import type { DocumentId } from '../ids.ts'
import { isDeletion } from '../storage/tombstone.ts'
import type { SyncEngine } from '../sync/engine.ts'
import { Bundle, type BundleLimits } from './bundle.ts'
import type { ByteSource } from './file/block-reader.ts'
import { checkDocuments, type CheckParts } from './check.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import type { MergeMarks, MarkName } from './merge-marks.ts'

export interface MergerParts extends CheckParts {
  sync: Pick<SyncEngine, 'merge' | 'snapshot'>
  marks: MergeMarks
  limits: BundleLimits
  log: Log
}

/** Brings bundles' documents into document storage: what is there is merged with, never overwritten. */
export class Merger {
  readonly #parts: MergerParts
  readonly #queue = new KeyedQueue()

  constructor (parts: MergerParts) {
    this.#parts = parts
  }

  /**
   * Opens a bundle and checks all of it.
   * @param signal ends it
   * @throws RelayError as `Bundle.open` and `checkDocuments`
   */
  async check (source: ByteSource, signal?: AbortSignal): Promise<Bundle> {
    const bundle = await Bundle.open(source, this.#parts.limits)
    await checkDocuments(bundle, this.#parts, signal)
    return bundle
  }

  /** Merges the documents of a checked bundle, one in memory at a time. Durable when resolved. @param signal ends it */
  async merge (bundle: Bundle, signal?: AbortSignal): Promise<void> {
    for (const id of bundle.documents) {
      signal?.throwIfAborted()
      await this.#mergeDocument(id, await bundle.chunks(id))
    }
    this.#parts.log.info(
      { bundle: bundle.rootId, documents: bundle.documents.length }, 'bundle merged into document storage'
    )
  }

  /** What has been deleted, no bundle brings back. */
  async #mergeDocument (id: DocumentId, chunks: Uint8Array[]): Promise<void> {
    try {
      await this.#parts.sync.merge(id, chunks, true)
    } catch (error) {
      if (!isDeletion(error)) throw error
      this.#parts.log.info({ documentId: id }, 'not merged from a bundle: the document has been deleted')
    }
  }

  /** Remembers that this version has been merged. */
  async mark (name: MarkName, etag: string): Promise<void> {
    await this.#parts.marks.set(name, etag)
  }

  /** Runs what stores or merges a bundle, one at a time for each name. */
  async alone<T> (name: MarkName, job: () => Promise<T>): Promise<T> {
    return await this.#queue.run(name, job)
  }

  /** Has one version of a bundle merged unless it has been before. */
  async once (name: MarkName, etag: string, merge: () => Promise<void>): Promise<void> {
    if (await this.#parts.marks.has(name, etag)) return
    await this.alone(name, async () => {
      if (await this.#parts.marks.has(name, etag)) return
      await merge()
      await this.mark(name, etag)
    })
  }
}

import { splitChunks } from '../automerge/format/chunk.ts'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import { RelayError } from '../errors.ts'
import { unlessGone } from '../storage/tombstone.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { Bundle } from './bundle.ts'
import { invalidBundle } from './file/refusal.ts'

export interface CheckParts { sync: Pick<SyncEngine, 'snapshot'>, automerge: AutomergePool }

/**
 * Checks what opening a bundle leaves unread, one document at a time: that each can be loaded, and merged with what is
 * stored of it. A bundle need not hold its root document, nor the documents that one refers to: slim bundles and Tonk's
 * manifest-only ones are bundles.
 * @param signal ends it after the document it is at
 * @throws RelayError RELAY_BUNDLE_INVALID naming the entry or the document, or what the source fails with.
 */
export async function checkDocuments (
  bundle: Bundle, { sync, automerge }: CheckParts, signal?: AbortSignal
): Promise<void> {
  for (const id of bundle.documents) {
    signal?.throwIfAborted()
    const chunks = await bundle.chunks(id)
    const stored = await unlessGone(sync.snapshot(id))
    try {
      // to Automerge nothing is an empty document
      if (chunks.some(chunk => splitChunks(chunk).length === 0)) {
        throw new RelayError('RELAY_DOCUMENT_INVALID', 'an entry of it is empty')
      }
      await automerge.inspect(chunks)
      if (stored !== null) await automerge.adds([stored], chunks)
    } catch (error) {
      if (!(error instanceof RelayError)) throw error
      throw invalidBundle(`document ${id}: ${error.message}`, error)
    }
  }
}

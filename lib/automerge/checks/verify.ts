import * as Automerge from '@automerge/automerge'
import { readChange } from '../format/change.ts'
import { CHUNK_TYPES, splitChunks } from '../format/chunk.ts'

/**
 * Reads every chunk to its end. Needed before chunks are merged into a document: Automerge leaves out what it cannot
 * read there, without a word.
 * @throws RelayError RELAY_DOCUMENT_INVALID, or Automerge's own error
 */
export function verifyChunks (bytes: Uint8Array): void {
  for (const chunk of splitChunks(bytes)) {
    if (chunk.type === CHUNK_TYPES.document) Automerge.free(Automerge.load(chunk.bytes))
    else {
      readChange(chunk.bytes) // first: Automerge does not look at the checksum here, and builds however many operations
      Automerge.decodeChange(chunk.bytes)
    }
  }
}

import * as Automerge from '@automerge/automerge'
import { CHUNK_TYPES } from '../format/chunk.ts'

const TYPE_AT = 8

/** After a document chunk Automerge takes changes that depend on what is not there, and keeps them until it is. */
const EMPTY = Automerge.save(Automerge.init())

const beginsWithDocument = (chunk: Uint8Array): boolean => chunk[TYPE_AT] === CHUNK_TYPES.document

/**
 * A document's stored chunks as bytes for `Automerge.load`, which then takes them however incomplete they are. A
 * document comes first: what is before it makes loading it slow.
 */
export function loadable (chunks: Uint8Array[]): Uint8Array {
  const first = chunks.findIndex(beginsWithDocument)
  if (first === 0 && chunks.length === 1) return chunks[0]!
  return Buffer.concat(first === -1
    ? [EMPTY, ...chunks]
    : [
        chunks[first]!, ...chunks.filter((_chunk, n) => n !== first)
      ])
}

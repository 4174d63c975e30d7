import { RelayError } from '../../errors.ts'
import { startOfContents } from './chunk.ts'
import type { Hash } from './hash.ts'
import { ByteReader } from './leb128.ts'

const invalid = (problem: string): RelayError =>
  new RelayError('RELAY_DOCUMENT_INVALID', `not a valid document: ${problem}`)

/**
 * The heads that a document chunk tells, which follow its actors. Nothing else of it is read.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function documentHeads (chunk: Uint8Array): Hash[] {
  const reader = new ByteReader(chunk, invalid, startOfContents(chunk, invalid))
  for (let n = reader.count('actors', 1); n > 0; n--) reader.prefixed('an actor')
  return reader.hashes('heads')
}

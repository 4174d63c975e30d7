import { startOfContents } from '../automerge/format/chunk.ts'
import type { Hash } from '../automerge/format/hash.ts'
import { ByteReader } from '../automerge/format/leb128.ts'
import { RelayError } from '../errors.ts'
import { etagOf } from './heads.ts'

const CHECKSUM = [4, 8] as const // where a chunk has it

const invalid = (problem: string): RelayError => new RelayError('RELAY_DOCUMENT_INVALID', `not a valid document: ${problem}`)

/**
 * The strong ETag of a document chunk (Automerge's binary format): the heads it tells, and its checksum and length, as the same
 * changes can be written in several ways. Nothing else of it is read.
 */
export function snapshotEtag (chunk: Uint8Array): string {
  const reader = new ByteReader(chunk, invalid, startOfContents(chunk, invalid))
  for (let n = reader.count('actors', 1); n > 0; n--) reader.actor('an actor')
  const checksum = Buffer.from(chunk.subarray(...CHECKSUM)).toString('hex')
  return etagOf(reader.hashes('heads').sort(), 'snapshot', `.${checksum}.${chunk.length}`)
}

/** Of the ETags that somebody knows, that of a snapshot at these heads, however it is written. */
export function knownSnapshot (known: string | undefined, heads: Hash[]): string | undefined {
  const start = etagOf(heads, 'snapshot', '.').slice(0, -1)
  return known?.split(',').map(etag => etag.trim().replace(/^W\//, '')).find(etag => etag.startsWith(start))
}

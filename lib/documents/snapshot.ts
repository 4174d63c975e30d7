import { documentHeads } from '../automerge/format/document-heads.ts'
import type { Hash } from '../automerge/format/hash.ts'
import { entityTags } from '../http/conditional.ts'
import { etagOf } from './heads.ts'

const CHECKSUM = [4, 8] as const // where a chunk has it

/**
 * The strong ETag of a document chunk (Automerge's binary format): the heads it tells, and its checksum and length, as
 * the same changes can be written in several ways. Nothing else of it is read.
 */
export function snapshotEtag (chunk: Uint8Array): string {
  const checksum = Buffer.from(chunk.subarray(...CHECKSUM)).toString('hex')
  return etagOf(documentHeads(chunk).sort(), 'snapshot', `.${checksum}.${chunk.length}`)
}

/** Of the ETags that somebody knows, that of a snapshot at these heads, however it is written. */
export function knownSnapshot (known: string | undefined, heads: Hash[]): string | undefined {
  const start = etagOf(heads, 'snapshot', '.').slice(0, -1)
  return known === undefined ? undefined : entityTags(known).find(etag => etag.startsWith(start))
}

import { createHash } from 'node:crypto'
import type { Hash } from '../automerge/format/hash.ts'
import { RelayError } from '../errors.ts'

/** What is made of a document. The JSON view has no name: its ETag is the heads alone. */
export type Representation = 'view' | 'heads' | 'history' | 'snapshot'

const HASH = /^[0-9a-f]{64}$/
const DIGEST = /^sha256-[0-9a-f]{64}$/
const MAX_HEADS = 1_024

/**
 * Heads that are told one by one in URLs and headers, about 1 KiB of them; whoever writes to a document can make
 * thousands.
 */
const MAX_LISTED = 16

/** Whether the text of heads does not list them. */
export const areMany = (heads: readonly Hash[]): boolean => heads.length > MAX_LISTED

/**
 * Heads as text, for URLs and headers: hashes in hexadecimal, sorted, joined by dots; of many the digest of that.
 * @param heads sorted
 */
export function headsText (heads: readonly Hash[]): string {
  const list = heads.join('.')
  return areMany(heads) ? `sha256-${createHash('sha256').update(list).digest('hex')}` : list
}

/** Whether heads are named by their digest, which only who has seen them can resolve. */
export const isDigest = (text: string): boolean => DIGEST.test(text)

/** Reads heads that are listed, in any order. @throws RelayError RELAY_BAD_REQUEST */
export function parseHeads (text: string): Hash[] {
  const heads = [...new Set(text.split('.'))].sort()
  if (heads.length > MAX_HEADS || !heads.every(head => HASH.test(head))) {
    throw new RelayError(
      'RELAY_BAD_REQUEST',
      'heads must be hashes of changes: 64 hexadecimal digits each, joined by dots, or as an ETag has them'
    )
  }
  return heads
}

/** Heads as `headsText` writes them, however somebody has. @throws RelayError RELAY_BAD_REQUEST */
export const canonicalHeads = (text: string): string => isDigest(text) ? text : headsText(parseHeads(text))

/** The strong ETag of a representation of a document at these heads. @param detail what else it depends on */
export function etagOf (heads: readonly Hash[], representation: Representation = 'view', detail = ''): string {
  const suffix = representation === 'view' ? '' : `.${representation}${detail}`
  return `"${headsText(heads)}${suffix}"`
}

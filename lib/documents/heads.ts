import type { Hash } from '../automerge/format/hash.ts'
import { RelayError } from '../errors.ts'

/** What is made of a document. The JSON view has no name: its ETag is the heads alone. */
export type Representation = 'view' | 'heads' | 'history' | 'snapshot'

const HASH = /^[0-9a-f]{64}$/
const MAX_HEADS = 1_024

/** Heads as text, for URLs and headers: hashes in hexadecimal, sorted, joined by dots. */
export const headsText = (heads: readonly Hash[]): string => heads.join('.')

/** Reads heads in any order. @throws RelayError RELAY_BAD_REQUEST */
export function parseHeads (text: string): Hash[] {
  const heads = [...new Set(text.split('.'))].sort()
  if (heads.length > MAX_HEADS || !heads.every(head => HASH.test(head))) {
    throw new RelayError('RELAY_BAD_REQUEST', 'heads must be hashes of changes: 64 hexadecimal digits each, joined by dots')
  }
  return heads
}

/** The strong ETag of a representation of a document at these heads. @param detail what else it depends on */
export function etagOf (heads: readonly Hash[], representation: Representation = 'view', detail = ''): string {
  const suffix = representation === 'view' ? '' : `.${representation}${detail}`
  return `"${headsText(heads)}${suffix}"`
}

import { randomUUID } from 'node:crypto'
import bs58check from 'bs58check'

declare const documentIdBrand: unique symbol

/** base58check text of 16 bytes, 27 or 28 characters, without the `automerge:` prefix. */
export type DocumentId = string & { readonly [documentIdBrand]: true }

const DOCUMENT_ID_BYTES = 16
const DOCUMENT_ID_TEXT = /^[1-9A-HJ-NP-Za-km-z]{20,28}$/

/** Ids found to be well-formed: each message of a peer names one, and to check it takes two SHA-256. */
const seen = new Set<string>()
const MAX_SEEN = 16_384

/**
 * Whether a value is a well-formed Automerge document id (automerge-repo's `AutomergeUrl.ts`: base58check of a
 * 16-byte UUID). Only such ids may become part of a path or a key: the alphabet holds no separator, dot or quote.
 */
export function isDocumentId (value: unknown): value is DocumentId {
  if (typeof value !== 'string') return false
  if (seen.has(value)) return true
  if (!DOCUMENT_ID_TEXT.test(value) || bs58check.decodeUnsafe(value)?.length !== DOCUMENT_ID_BYTES) return false
  if (seen.size >= MAX_SEEN) seen.clear()
  seen.add(value)
  return true
}

/** An id that no document has. */
export const newDocumentId = (): DocumentId =>
  bs58check.encode(Buffer.from(randomUUID().replaceAll('-', ''), 'hex')) as DocumentId

import { decodeHeads, isValidAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo/slim'
import type { AutomergeUrl, DocumentId, UrlHeads } from '@automerge/automerge-repo/slim'

/** A document: its handle, where the answer is about what the handle holds now, or its id or URL. */
export type Saveable = { documentId: DocumentId, heads: () => UrlHeads } | AutomergeUrl | DocumentId

export function idOf (document: Saveable): DocumentId {
  if (typeof document !== 'string') return document.documentId
  return isValidAutomergeUrl(document) ? parseAutomergeUrl(document).documentId : document as DocumentId
}

/** What a handle holds, as hashes in hex; of an id nothing is known. */
export const headsOf = (document: Saveable): string[] | undefined =>
  typeof document === 'string' ? undefined : decodeHeads(document.heads())

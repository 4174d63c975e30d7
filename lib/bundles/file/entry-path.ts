import { isDocumentId, type DocumentId } from '../../ids.ts'
import { invalidBundle, quoted } from './refusal.ts'

/** Where a chunk of a document is in a bundle. */
export interface ChunkPath { id: DocumentId, kind: 'snapshot' | 'incremental', name: string }

const SEGMENT = /^[A-Za-z0-9_-]{1,128}$/
const ADAPTER_ID = 'storage/st/orage-adapter-id'

/**
 * The chunk an entry's path stands for: `storage/<id[0:2]>/<id[2:]>/<snapshot|incremental>/<name>`, automerge-repo's
 * nodefs layout. Null for what a bundle may hold and nobody needs: folders, and what else automerge-repo keeps in that
 * layout, the storage's own id and sync states.
 * @throws RelayError RELAY_BUNDLE_INVALID naming the path: anything else, absolute and `..` paths included.
 */
export function parseEntryPath (path: string): ChunkPath | null {
  const folder = path.endsWith('/')
  const segments = (folder ? path.slice(0, -1) : path).split('/')
  const [base, prefix, rest, kind, name] = segments
  const known = base === 'storage' && segments.every(segment => SEGMENT.test(segment)) && segments.length <= 5
  if (known && (folder || path === ADAPTER_ID)) return null
  if (known && name !== undefined && prefix!.length === 2) {
    const id = `${prefix}${rest}`
    if (!isDocumentId(id)) throw invalidBundle(`entry ${quoted(path)}: ${quoted(id)} is not a document id`)
    if (kind === 'snapshot' || kind === 'incremental') return { id, kind, name }
    if (kind === 'sync-state') return null
  }
  throw invalidBundle(`entry ${quoted(path)} is not a path of a bundle`)
}

/** The path Tonk's exporter gives a document's one chunk. */
export const documentPath = (id: DocumentId): string =>
  `storage/${id.slice(0, 2)}/${id.slice(2)}/snapshot/bundle_export`

import { createHash } from 'node:crypto'
import { codeOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { Bundle } from './bundle.ts'
import { documentPath } from './file/entry-path.ts'
import { MANIFEST_PATH } from './file/manifest.ts'
import { pack } from './file/pack.ts'

/** A bundle to start from, with its strong validator. */
export interface Slim { bytes: Uint8Array, etag: string }

/**
 * A document of a bundle as it is now, or as it was in the bundle when storage has none that can be read; null when
 * neither has it.
 * Automerge reads chunks that follow each other as one document.
 */
export async function currentDocument (
  bundle: Bundle, sync: Pick<SyncEngine, 'snapshot'>, id: DocumentId
): Promise<Uint8Array | null> {
  const stored = await sync.snapshot(id).catch(refuseUnlessDamaged)
  if (stored !== null) return stored
  const chunks = await bundle.chunks(id)
  return chunks.length === 0 ? null : Buffer.concat(chunks)
}

function refuseUnlessDamaged (error: unknown): null {
  if (codeOf(error) === 'RELAY_DOCUMENT_DAMAGED') return null
  throw error
}

/**
 * The manifest's own bytes and the root document in its current state: all a client needs to start, it asks for other
 * documents by id. Reads only the root document of the bundle, and that only when it is not in storage.
 */
export async function cutSlim (bundle: Bundle, sync: Pick<SyncEngine, 'snapshot'>): Promise<Slim> {
  const root = await currentDocument(bundle, sync, bundle.rootId)
  const bytes = await pack([
    [MANIFEST_PATH, bundle.manifestBytes],
    ...root === null ? [] : [[documentPath(bundle.rootId), root] as const]
  ])
  return { bytes, etag: `"${createHash('sha256').update(bytes).digest('base64url')}"` }
}

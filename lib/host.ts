import type { Readable } from 'node:stream'
import type { Bundles } from './bundles/bundles.ts'
import type { Slim } from './bundles/slim.ts'
import type { StoredBundle } from './bundles/stores/store.ts'
import { RelayError } from './errors.ts'
import { isDocumentId, type DocumentId } from './ids.ts'
import type { EngineStats, SyncEngine } from './sync/engine.ts'

// What a host may do with parts of its relay. Ids are checked: they come from anywhere, and become part of paths.

/** The bundles of a relay, by the id of their root document. Access rules are not asked: the host is trusted. */
export interface HostBundles {
  /**
   * Takes a bundle: durable, and its documents merged, when resolved.
   * @param length bytes announced, if any
   * @throws RelayError RELAY_BUNDLE_INVALID, RELAY_BUNDLE_TOO_LARGE, RELAY_BAD_REQUEST when the stream breaks off,
   *   RELAY_STORE_UNAVAILABLE, RELAY_STORAGE_FAILED
   */
  receive (body: Readable, length?: number): Promise<{ id: string }>
  /**
   * As it was uploaded; must be closed.
   * @throws RelayError RELAY_ID_INVALID, RELAY_BUNDLE_NOT_FOUND, RELAY_STORE_UNAVAILABLE
   */
  download (id: string): Promise<StoredBundle>
  /** Its manifest and its root document as it is now. @throws RelayError as `download`, or RELAY_BUNDLE_INVALID */
  slim (id: string): Promise<Slim>
  /** All of it as it is now: a stream to be read or destroyed. @throws RelayError as `slim` */
  live (id: string): Promise<Readable>
  /** Calls back after each upload; returns the way to stop. */
  onStored (listener: (id: string) => void): () => void
}

/** The documents of a relay without opening them, by their ids (no `automerge:` before them). */
export interface HostSync {
  /**
   * As stored now, in `Automerge.save` format; null when there is none.
   * @throws RelayError RELAY_ID_INVALID, RELAY_DOCUMENT_DELETED, RELAY_STORAGE_FAILED
   */
  snapshot (id: string): Promise<Uint8Array | null>
  /**
   * Merges what `Automerge.save` and its like give, creating the document when it is new; durable when resolved.
   * @throws RelayError RELAY_ID_INVALID, RELAY_DOCUMENT_INVALID, RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED
   */
  merge (id: string, chunks: Uint8Array[]): Promise<void>
  /**
   * Calls back after each change of a document that is stored, its deletion included, from wherever it came; returns
   * the way to stop.
   */
  onChange (listener: (id: string) => void): () => void
  stats (): EngineStats
}

export const hostBundles = (bundles: Bundles): HostBundles => ({
  receive: async (body, length) => await bundles.receive(body, length),
  download: async id => await bundles.download(checked(id)),
  slim: async id => await bundles.slim(checked(id)),
  live: async id => await bundles.live(checked(id)),
  onStored: listener => bundles.onStored(listener)
})

export const hostSync = (sync: SyncEngine): HostSync => ({
  snapshot: async id => await sync.snapshot(checked(id)),
  merge: async (id, chunks) => { await sync.merge(checked(id), chunks) },
  onChange: listener => sync.onChange(listener),
  stats: () => sync.stats()
})

function checked (id: string): DocumentId {
  if (!isDocumentId(id)) throw new RelayError('RELAY_ID_INVALID', 'not a document id')
  return id
}

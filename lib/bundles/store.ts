import type { Readable } from 'node:stream'
import type { DocumentId } from '../ids.ts'

/** Half-open byte range: `start` included, `end` excluded. */
export interface ByteRange { start: number, end: number }

/**
 * One stored bundle, opened. All reads see the bytes that were current when it was opened; where the store can no
 * longer give them (replaced meanwhile) the stream fails with RELAY_BUNDLE_CHANGED. Must be closed.
 */
export interface StoredBundle {
  /** bytes */
  readonly size: number
  /** Strong validator with its quotes, e.g. `"5d41402a"`: changes whenever the bytes change. */
  readonly etag: string
  readonly modified: Date
  /** Nothing is read before the stream is. Without a range: the whole bundle. */
  stream (range?: ByteRange): Readable
  close (): Promise<void>
}

/** A complete file on local disk, to be stored; the store may move it away. */
export interface BundleFile { readonly path: string, readonly size: number }

/**
 * Where bundles are kept, by the id of their root document. Errors are `RelayError`s: RELAY_STORE_UNAVAILABLE when the
 * store cannot be reached or refuses.
 */
export interface BundleStore {
  /** The bundle as it is now, or null when there is none. */
  open (id: DocumentId): Promise<StoredBundle | null>
  /** Stores or atomically replaces: readers see the old bytes or the new, never a part. Durable when resolved. */
  put (id: DocumentId, file: BundleFile): Promise<void>
  /** Whether the store answers; called at start and by health checks. Rejects with the reason. */
  check (): Promise<void>
  close (): Promise<void>
}

import type { Readable } from 'node:stream'
import type { DocumentId } from '../../ids.ts'

/** Half-open byte range: `start` included, `end` excluded. */
export interface ByteRange { start: number, end: number }

/**
 * One stored bundle, opened. All reads see the bytes that were current when it was opened; where the store can no
 * longer give them (replaced meanwhile) the stream fails with RELAY_BUNDLE_CHANGED. Must be closed, and each stream be
 * read to its end or destroyed.
 */
export interface StoredBundle {
  /** bytes */
  readonly size: number
  /** Strong validator with its quotes, e.g. `"5d41402a"`: changes whenever the bytes change. */
  readonly etag: string
  readonly modified: Date
  /** Who has brought it first, if that is known */
  readonly owner?: string | undefined
  /**
   * Nothing is read before the stream is. Without a range: the whole bundle. Any number at once. Never throws: the
   * stream fails, with RELAY_RANGE_NOT_SATISFIABLE for a range that is not in the bundle, RELAY_INTERNAL once closed.
   */
  stream (range?: ByteRange): Readable
  /**
   * No more streams can be had. Those already had go on to their end, so a route may close once it has handed its
   * stream to the reply; what the bundle holds is let go with the last of them, which is not waited for.
   */
  close (): Promise<void>
}

/** A complete file on local disk, to be stored; the store may move it away. */
export interface BundleFile { readonly path: string, readonly size: number }

export interface BundlePage { readonly after?: string | undefined, readonly limit: number }

/** A bundle in a list; `size` in bytes. */
export interface ListedBundle { readonly id: DocumentId, readonly size: number, readonly modified: Date }

/** What goes with a bundle that is stored. */
export interface PutOptions {
  /** Whose it is from now on */
  owner?: string | undefined
  /** The ETag of the bundle that is replaced, `null` for none: with another one there RELAY_PRECONDITION_FAILED */
  replaces?: string | null | undefined
}

/**
 * Where bundles are kept, by the id of their root document. Errors are `RelayError`s: RELAY_STORE_UNAVAILABLE when the
 * store cannot be reached or refuses.
 */
export interface BundleStore {
  /** The bundle as it is now, or null when there is none. */
  open (id: DocumentId): Promise<StoredBundle | null>
  /**
   * Stores or atomically replaces: readers see the old bytes or the new, never a part. Durable when resolved. A failed
   * put leaves the old bytes and no remains. The file itself may be gone afterwards, or not. A store that does not keep
   * owners has bundles that only administrators replace, where access is controlled.
   */
  put (id: DocumentId, file: BundleFile, options?: PutOptions): Promise<void>
  /**
   * Some of the stored bundles, in the order of their ids: at most `limit` (1 to 1000) of those after `after`. A store
   * without this does not tell what it has.
   */
  list? (page: BundlePage): Promise<ListedBundle[]>
  /** Removes a bundle, if it is there; durable when resolved. A store without this keeps what it has. */
  remove? (id: DocumentId): Promise<void>
  /** Whether the store answers; called before anything else, at start, and by health checks. Rejects with the reason. */
  check (): Promise<void>
  close (): Promise<void>
}

import type { DocumentId } from '../../ids.ts'
import type { ObjectFile, StoredObject } from '../../objects/object-store.ts'

export type { ByteRange } from '../../objects/object-store.ts'

/**
 * One stored bundle, opened. All reads see the bytes that were current when it was opened; where the store can no
 * longer give them (replaced meanwhile) the stream fails with RELAY_BUNDLE_CHANGED. Must be closed, and each stream be
 * read to its end or destroyed.
 */
export type StoredBundle = StoredObject

/** A complete file on local disk, to be stored; the store may move it away. */
export type BundleFile = ObjectFile

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
  /**
   * Whether the store answers; called before anything else, at start, and by health checks. Rejects with the reason.
   */
  check (): Promise<void>
  close (): Promise<void>
}

import type { Readable } from 'node:stream'
import type { RelayErrorCode } from '../errors.ts'

/** Half-open byte range: `start` included, `end` excluded. */
export interface ByteRange { start: number, end: number }

/** What a store tells of an object. */
export interface ObjectFacts {
  /** bytes */
  readonly size: number
  /** Strong validator with its quotes, e.g. `"5d41402a"`: changes whenever the bytes change. */
  readonly etag: string
  readonly modified: Date
  /** Whose it is, if that was said when it was stored */
  readonly owner?: string | undefined
}

/**
 * One stored object, opened. All reads see the bytes that were current when it was opened; where the store can no
 * longer give them (replaced meanwhile) the stream fails with RELAY_OBJECT_CHANGED. Must be closed, and each stream be
 * read to its end or destroyed.
 */
export interface StoredObject extends ObjectFacts {
  /**
   * Nothing is read before the stream is. Without a range: the whole object. Any number at once. Never throws: the
   * stream fails, with RELAY_RANGE_NOT_SATISFIABLE for a range that is not in the object, RELAY_INTERNAL once closed.
   */
  stream (range?: ByteRange): Readable
  /**
   * No more streams can be had. Those already had go on to their end, so a route may close once it has handed its
   * stream to the reply; what the object holds is let go with the last of them, which is not waited for.
   */
  close (): Promise<void>
}

/** An object in a list. */
export interface ListedObject extends Omit<ObjectFacts, 'owner'> { readonly key: string }

/** A complete file on local disk, to be stored; the store may move it away. */
export interface ObjectFile { readonly path: string, readonly size: number }

/** What is stored: bytes, a file, or a stream, which is read no faster than it is stored, to its end or destroyed. */
export type ObjectBody = Uint8Array | ObjectFile | Readable

export interface Abortable {
  /** Gives the call up; it rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

export interface OpenOptions extends Abortable {
  /** The code of the error when the object is replaced while it is read; RELAY_OBJECT_CHANGED unless given. */
  changed?: RelayErrorCode | undefined
}

export interface PutOptions extends Abortable {
  /** Whose it is from now on */
  owner?: string | undefined
  /** The ETag of the object that is replaced, `null` for none: with another one there RELAY_PRECONDITION_FAILED */
  replaces?: string | null | undefined
  /**
   * SHA-256 of the bytes, in hex. Others are not stored: RELAY_CHECKSUM_MISMATCH. A bucket's server verifies each part
   * it is sent.
   */
  sha256?: string | undefined
}

export interface ListOptions extends Abortable {
  /** What the keys begin with, like `bundles/` */
  prefix: string
  /** The key after which to go on: the last of the page before */
  after?: string | undefined
  /** How many at most */
  limit: number
}

/**
 * Where bytes are kept by a key: a bucket, or a folder. Keys are words of ASCII letters, digits, `-`, `_` and `.` with
 * slashes between them; no word begins with a dot, and the last does not end in `.owner`. Errors are `RelayError`s:
 * RELAY_STORE_UNAVAILABLE when the store cannot be reached or refuses.
 */
export interface ObjectStore {
  /** The object as it is now, or null when there is none. */
  open (key: string, options?: OpenOptions): Promise<StoredObject | null>
  /** All bytes of a small object, or null. One request. */
  read (key: string, options?: Abortable): Promise<Buffer | null>
  /** What is known of it, without opening it, or null. */
  head (key: string, options?: Abortable): Promise<ObjectFacts | null>
  /**
   * Stores or atomically replaces: readers see the old bytes or the new, never a part. Durable when resolved. A put
   * that failed leaves the old bytes and no remains; one whose answer never came may have happened. The conditions of
   * `replaces` hold among all writers of a bucket, and in a folder among those of this process.
   */
  put (key: string, body: ObjectBody, options?: PutOptions): Promise<{ etag: string }>
  /** Some objects in the order of their keys, byte by byte. Fewer than `limit`: there are no more. */
  list (options: ListOptions): Promise<ListedObject[]>
  /** Removes an object, if it is there. Durable when resolved. */
  remove (key: string, options?: Abortable): Promise<void>
  /**
   * Whether objects under a prefix can be had and stored; makes a folder's. Called before anything else, and by health
   * checks. Rejects with the reason.
   */
  check (prefix: string): Promise<void>
  close (): Promise<void>
}

const PAGE_LENGTH = 1_000

/** All objects under a prefix, in the order of their keys. */
export async function * allObjects (
  objects: Pick<ObjectStore, 'list'>, prefix: string, { signal }: Abortable = {}
): AsyncGenerator<ListedObject> {
  for (let after: string | undefined; ;) {
    const page = await objects.list({ prefix, after, limit: PAGE_LENGTH, signal })
    yield * page
    if (page.length < PAGE_LENGTH) return
    after = page.at(-1)!.key
  }
}

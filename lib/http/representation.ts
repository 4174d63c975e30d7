import type { Readable } from 'node:stream'

/** Bytes with a strong validator: a stored bundle, a file, something made just now. */
export interface Representation {
  readonly size: number
  readonly etag: string
  /** What caches may do; without it they ask each time whether it is still the same. */
  readonly cacheControl?: string
  stream (range?: { start: number, end: number }): Readable | Uint8Array
  close? (): Promise<void>
}

import { Buffer } from 'node:buffer'

/** The SHA-256 of a change, as 64 lower-case hexadecimal characters. */
export type Hash = string

export const HASH_BYTES = 32

// The heads of a document come in again with every acknowledgement of every peer. Comparing 32 bytes is ten times
// cheaper than making the text again, and equal texts that are one object are quicker in a Map.
const SLOTS = 1024
const seen = new Uint8Array(SLOTS * HASH_BYTES)
const texts = new Array<Hash | undefined>(SLOTS).fill(undefined)

/** The hash whose 32 bytes start at `at`, which must be within the input. */
export function hashAt (bytes: Uint8Array, at: number): Hash {
  const slot = (bytes[at]! | bytes[at + 1]! << 8) % SLOTS
  const start = slot * HASH_BYTES
  const known = texts[slot]
  let same = 0
  while (same < HASH_BYTES && seen[start + same] === bytes[at + same]) same++
  if (known !== undefined && same === HASH_BYTES) return known
  const hash = hexAt(bytes, at, HASH_BYTES)
  seen.set(bytes.subarray(at, at + HASH_BYTES), start)
  texts[slot] = hash
  return hash
}

/** Bytes within the input as lower-case hexadecimal text. */
export function hexAt (bytes: Uint8Array, at: number, length: number): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('hex', at, at + length)
}

import { Buffer } from 'node:buffer'
import { HASH_BYTES, type Hash } from '../automerge/format/hash.ts'
import { ByteReader, uintLength, writeUint } from '../automerge/format/leb128.ts'
import { RelayError } from '../errors.ts'

/**
 * The sync messages of Automerge (`sync.rs` of its Rust core) without Automerge: what is read here costs a microsecond
 * and no WASM. What is inside the changes is not looked at.
 */
export interface SyncMessage {
  /** In version 2 changes may be a whole document; both are made of length-prefixed bytes. */
  version: 1 | 2
  heads: Hash[]
  need: Hash[]
  have: Have[]
  /** Each is one or more chunks, joined. */
  changes: Uint8Array[]
  /** Bits of `FLAGS`; who sends none does not read version 2. */
  flags?: number | undefined
}

/** What a peer has: these changes and all they depend on, and (probably) what is in the Bloom filter. */
export interface Have { lastSync: Hash[], bloom: Uint8Array }

export const FLAGS = {
  /** Forget what was sent to me: I left it out, as I was read-only. */
  syncReset: 1,
  /** I take no changes. */
  readOnly: 2,
  /** I know what `syncReset` means. */
  supportsSyncReset: 4
} as const

/** The first byte of version 1; version 2 is one higher. */
const V1 = 0x42
/** Flags are two bytes: one that means "reads version 2" to those who know no others, and bits under this mark. */
const READS_V2 = 2
const FLAGS_MARK = 0x80
const MAX_U32 = 2 ** 32 - 1
/** Automerge sends one `have` or none, with filters of 7 probes. */
const MAX_HAVE = 16
const MAX_PROBES = 64

const invalid = (problem: string): RelayError =>
  new RelayError('RELAY_SYNC_INVALID', `not a valid sync message: ${problem}`)

/**
 * Reads a sync message, as strictly as Automerge does: byte strings are views on the input, what follows the flags is
 * ignored. Refused beyond that is what Automerge takes and then fails on or takes minutes for: Bloom filters of no bits
 * (division by zero) or of countless probes, countless filters, and lengths of more than 32 bits, which its WASM cuts
 * off.
 * @throws RelayError RELAY_SYNC_INVALID
 */
export function decodeSyncMessage (bytes: Uint8Array): SyncMessage {
  const reader = new ByteReader(bytes, invalid)
  const version = reader.byte('its type') - V1 + 1
  if (version !== 1 && version !== 2) throw invalid('of an unknown type')
  const heads = reader.hashes('heads')
  const need = reader.hashes('need')
  const have: Have[] = []
  const haves = reader.count('have', 2)
  if (haves > MAX_HAVE) throw invalid(`more than ${MAX_HAVE} have`)
  for (let n = 0; n < haves; n++) {
    have.push({ lastSync: reader.hashes('lastSync'), bloom: readFilter(reader.prefixed('a Bloom filter')) })
  }
  const changes: Uint8Array[] = []
  for (let n = reader.count('changes', 1); n > 0; n--) changes.push(reader.prefixed('a change'))
  const message: SyncMessage = { version, heads, need, have, changes }
  if (reader.left > 0) message.flags = readFlags(reader.prefixed('flags'))
  return message
}

/** Writes a sync message. Hashes must be sorted, as Automerge keeps them. */
export function encodeSyncMessage (message: SyncMessage): Uint8Array {
  const { version, heads, need, have, changes, flags } = message
  let length = 1 + hashesLength(heads) + hashesLength(need) + uintLength(have.length) + uintLength(changes.length)
  for (const { lastSync, bloom } of have) length += hashesLength(lastSync) + prefixedLength(bloom)
  for (const change of changes) length += prefixedLength(change)
  if (flags !== undefined) length += 3

  const out = Buffer.allocUnsafe(length)
  out[0] = V1 + version - 1
  let at = writeHashes(out, 1, heads)
  at = writeHashes(out, at, need)
  at = writeUint(out, at, have.length)
  for (const { lastSync, bloom } of have) at = writePrefixed(out, writeHashes(out, at, lastSync), bloom)
  at = writeUint(out, at, changes.length)
  for (const change of changes) at = writePrefixed(out, at, change)
  if (flags !== undefined) {
    out[at] = 2 // bytes that follow
    out[at + 1] = READS_V2
    out[at + 2] = FLAGS_MARK | flags
  }
  return out
}

/** How many changes were put into a Bloom filter of a message. */
export const filterSize = (bloom: Uint8Array): number =>
  bloom.length === 0 ? 0 : new ByteReader(bloom, invalid).uint('a Bloom filter')

/** A Bloom filter as Automerge reads it: an empty one is no bytes, and what follows the bits is left out. */
function readFilter (bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return bytes
  const reader = new ByteReader(bytes, invalid)
  const entries = u32(reader)
  const bitsPerEntry = u32(reader)
  const probes = u32(reader)
  reader.skip(Math.ceil(entries * bitsPerEntry / 8), 'a Bloom filter')
  if (entries > 0 && (bitsPerEntry === 0 || probes > MAX_PROBES)) {
    throw invalid(`a Bloom filter of ${bitsPerEntry} bits and ${probes} probes an entry`)
  }
  return bytes.subarray(0, entries === 0 ? 0 : reader.at)
}

function u32 (reader: ByteReader): number {
  const value = reader.uint('a Bloom filter')
  if (value > MAX_U32) throw invalid('a Bloom filter is too large')
  return value
}

function readFlags (bytes: Uint8Array): number {
  let bits = 0
  for (const byte of bytes) if (byte >= FLAGS_MARK) bits |= byte & ~FLAGS_MARK
  return bits
}

const hashesLength = (hashes: Hash[]): number => uintLength(hashes.length) + hashes.length * HASH_BYTES
const prefixedLength = (bytes: Uint8Array): number => uintLength(bytes.length) + bytes.length

function writeHashes (out: Buffer, at: number, hashes: Hash[]): number {
  at = writeUint(out, at, hashes.length)
  for (const hash of hashes) {
    if (out.write(hash, at, HASH_BYTES, 'hex') !== HASH_BYTES) throw new TypeError('not a hash')
    at += HASH_BYTES
  }
  return at
}

function writePrefixed (out: Buffer, at: number, bytes: Uint8Array): number {
  at = writeUint(out, at, bytes.length)
  out.set(bytes, at)
  return at + bytes.length
}

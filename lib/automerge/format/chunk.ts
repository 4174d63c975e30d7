import { hash as hashOf } from 'node:crypto'
import { RelayError } from '../../errors.ts'
import type { Hash } from './hash.ts'
import { ByteReader } from './leb128.ts'

/** Automerge's binary format, "Chunk": magic bytes, 4 bytes of checksum, a type byte, LEB128 length, contents. */
export const CHUNK_TYPES = { document: 0, change: 1, compressedChange: 2 } as const

export interface Chunk { type: number, bytes: Uint8Array }

const MAGIC = [0x85, 0x6f, 0x4a, 0x83]
const CHECKSUM_BYTES = 4
const HEADER = 9 // magic, checksum, type
const MAX_LENGTH_BYTES = 5

const invalid = (problem: string): RelayError =>
  new RelayError('RELAY_DOCUMENT_INVALID', `not Automerge data: ${problem}`)

/**
 * Splits concatenated chunks into views, one each, without looking inside.
 * @throws RelayError RELAY_DOCUMENT_INVALID when the bytes are not whole chunks
 */
export function splitChunks (bytes: Uint8Array): Chunk[] {
  const chunks: Chunk[] = []
  for (let at = 0; at < bytes.length;) {
    if (MAGIC.some((byte, n) => bytes[at + n] !== byte)) throw invalid('no chunk starts here')
    const type = bytes[at + 8]
    if (type === undefined || type > CHUNK_TYPES.compressedChange) throw invalid(`chunk type ${type}`)
    let length = 0
    let end = at + HEADER
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[end++]
      if (byte === undefined || shift >= 7 * MAX_LENGTH_BYTES) throw invalid('cut short')
      length += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    end += length
    if (end > bytes.length) throw invalid('cut short')
    chunks.push({ type, bytes: bytes.subarray(at, end) })
    at = end
  }
  return chunks
}

/** Whether stored bytes are exactly what `Automerge.save` makes: one document chunk. */
export function isOneDocument (bytes: Uint8Array): boolean {
  const chunks = splitChunks(bytes)
  return chunks.length === 1 && chunks[0]!.type === CHUNK_TYPES.document
}

/**
 * Where the contents of a chunk start, once it is sure that the bytes are one chunk and nothing else.
 * @param invalid makes the error that is thrown
 */
export function startOfContents (chunk: Uint8Array, invalid: (problem: string) => Error): number {
  if (chunk.length < HEADER) throw invalid('cut short')
  if (MAGIC.some((byte, n) => chunk[n] !== byte)) throw invalid('no chunk starts here')
  const reader = new ByteReader(chunk, invalid, HEADER)
  const length = reader.uint('its length')
  if (length !== reader.left) throw invalid(length > reader.left ? 'cut short' : 'bytes after the end')
  return reader.at
}

/**
 * The hash of type, length and contents, which follow one another in a chunk; the checksum in `chunk` must be its
 * start.
 */
export function checkedHash (chunk: Uint8Array, plain: Uint8Array, invalid: (problem: string) => Error): Hash {
  const hash = hashOf('sha256', plain.subarray(HEADER - 1))
  for (let n = 0; n < CHECKSUM_BYTES; n++) {
    if (Number.parseInt(hash.slice(2 * n, 2 * n + 2), 16) !== chunk[MAGIC.length + n]) {
      throw invalid('the checksum is wrong')
    }
  }
  return hash
}

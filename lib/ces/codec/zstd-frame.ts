const MAGIC = [0x28, 0xb5, 0x2f, 0xfd]
const SIZE_BYTES = [0, 2, 4, 8]
const DICTIONARY_BYTES = [0, 1, 2, 4]
const RLE = 1
const CHECKSUM_BYTES = 4

/**
 * Refuses what is not one whole Zstandard frame that says it holds `length` bytes, before anything is made of it:
 * Node 22 takes a frame that is cut off, and frames after the first may hold anything. RFC 8878, section 3.1.1.
 * @throws Error
 */
export function checkZstdFrame (frame: Uint8Array, length: number): void {
  if (!MAGIC.every((byte, at) => frame[at] === byte)) throw new Error('not a zstd frame')
  const descriptor = frame[4] ?? 0
  const isSingle = (descriptor & 0x20) !== 0
  const bytes = descriptor >>> 6 === 0 && isSingle ? 1 : SIZE_BYTES[descriptor >>> 6]!
  const at = 5 + (isSingle ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]!
  const size = bytes === 0 ? undefined : contentSize(frame.subarray(at, at + bytes), bytes)
  if (size !== length) throw new Error(`a zstd frame of ${size ?? 'unknown'} bytes where ${length} are expected`)
  const end = endOfBlocks(frame, at + bytes) + ((descriptor & 4) !== 0 ? CHECKSUM_BYTES : 0)
  if (end !== frame.length) throw new Error(`a zstd frame of ${end} bytes in ${frame.length}`)
}

function contentSize (field: Uint8Array, bytes: number): number {
  if (field.length < bytes) throw new Error('a zstd frame that is cut off')
  const view = new DataView(field.buffer, field.byteOffset, bytes)
  if (bytes === 1) return view.getUint8(0)
  if (bytes === 2) return view.getUint16(0, true) + 256
  return bytes === 4 ? view.getUint32(0, true) : Number(view.getBigUint64(0, true))
}

function endOfBlocks (frame: Uint8Array, at: number): number {
  for (;;) {
    if (at + 3 > frame.length) throw new Error('a zstd frame that is cut off')
    const header = frame[at]! | frame[at + 1]! << 8 | frame[at + 2]! << 16
    at += 3 + ((header >>> 1 & 3) === RLE ? 1 : header >>> 3)
    if ((header & 1) !== 0) return at
  }
}

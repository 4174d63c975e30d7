import { RelayError } from '../../errors.ts'
import type { SegmentId } from './segment-header.ts'

export const SHARD_HEADER_BYTES = 32
const MAGIC = [0x52, 0x56, 0x48, 0x31] // RVH1
const VERSION = 1

/** What a shard file says of itself. */
export interface ShardHeader {
  index: number
  k: number
  m: number
  seal: Uint8Array
  number: number
  length: number
}

/** Writes the header into the first 32 bytes of a file whose body has `length` bytes. */
export function writeShardHeader (file: Uint8Array, { k, m, seal, number }: SegmentId, index: number): void {
  file.set([...MAGIC, VERSION, index, k, m])
  file.set(seal, 8)
  const view = new DataView(file.buffer, file.byteOffset)
  view.setUint32(24, number, true)
  view.setUint32(28, file.length - SHARD_HEADER_BYTES, true)
}

/** @throws RelayError RELAY_SHARD_INVALID for what is no whole shard file */
export function readShardHeader (file: Uint8Array): ShardHeader {
  if (file.length < SHARD_HEADER_BYTES) throw invalid(`${file.length} bytes are too short for a shard`)
  if (!MAGIC.every((byte, at) => file[at] === byte)) throw invalid('not a shard')
  if (file[4] !== VERSION) throw invalid(`a shard of version ${file[4]}, which is not known here`)
  const view = new DataView(file.buffer, file.byteOffset)
  const header = {
    index: file[5]!,
    k: file[6]!,
    m: file[7]!,
    seal: file.subarray(8, 24),
    number: view.getUint32(24, true),
    length: view.getUint32(28, true)
  }
  if (header.k < 1 || header.m < 1 || header.index >= header.k + header.m) {
    throw invalid(`a shard with index ${header.index} of ${header.k}+${header.m}`)
  }
  if (file.length !== SHARD_HEADER_BYTES + header.length) {
    throw invalid(`a shard of ${file.length - SHARD_HEADER_BYTES} bytes that says it has ${header.length}`)
  }
  return header
}

/** Why a file is not the shard that it is to be, undefined when it is. Its bytes are not looked at. */
export function mismatchOf (file: Uint8Array, segment: SegmentId, index: number, length: number): string | undefined {
  let header: ShardHeader
  try {
    header = readShardHeader(file)
  } catch (error) {
    if (error instanceof RelayError) return error.message
    throw error
  }
  if (!segment.seal.every((byte, at) => header.seal[at] === byte)) return 'a shard of another object'
  if (header.k !== segment.k || header.m !== segment.m) {
    return `a shard of a ${header.k}+${header.m} object where it is ${segment.k}+${segment.m}`
  }
  if (header.number !== segment.number) {
    return `a shard of segment ${header.number} where that of ${segment.number} should be`
  }
  if (header.index !== index) return `shard ${header.index} where ${index} should be`
  return header.length === length ? undefined : `a shard of ${header.length} bytes where it should have ${length}`
}

const invalid = (message: string): RelayError => new RelayError('RELAY_SHARD_INVALID', message)

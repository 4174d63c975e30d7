import { CHUNK_TYPES, checkedHash, splitChunks } from './chunk.ts'
import { readChange } from './change.ts'
import { messageOf, RelayError } from '../../errors.ts'

const MAGIC = Buffer.from([0x85, 0x6f, 0x4a, 0x83]) // Automerge's binary format: a chunk begins so
const MAX_ENDS = 8 // places looked at for the end of a chunk: the bytes of a beginning may be in one by chance

const invalid = (problem: string): RelayError => new RelayError('RELAY_DOCUMENT_INVALID', problem)

/**
 * What may be whole chunks in bytes that are damaged: from each beginning of one to another. Their checksums are not
 * looked at.
 */
export function findChunks (bytes: Uint8Array): Uint8Array[] {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const starts: number[] = []
  for (let at = file.indexOf(MAGIC); at !== -1; at = file.indexOf(MAGIC, at + 1)) starts.push(at)
  return starts.flatMap((start, n) => {
    const ends = [...starts.slice(n + 1, n + 1 + MAX_ENDS), file.length]
    const end = ends.find(end => isChunk(file.subarray(start, end)))
    return end === undefined ? [] : [file.subarray(start, end)]
  })
}

/**
 * Why bytes are not whole chunks, of which there is at least one; undefined when they are.
 * @param isThorough checks their checksums too
 */
export function flawOf (bytes: Uint8Array, isThorough: boolean): string | undefined {
  try {
    const chunks = splitChunks(bytes)
    if (isThorough) for (const { bytes, type } of chunks) checkSum(bytes, type)
    return chunks.length === 0 ? 'empty' : undefined
  } catch (error) {
    return messageOf(error)
  }
}

function checkSum (chunk: Uint8Array, type: number): void {
  // what is compressed has the checksum of what it is inflated to
  if (type === CHUNK_TYPES.compressedChange) readChange(chunk)
  else checkedHash(chunk, chunk, invalid)
}

function isChunk (bytes: Uint8Array): boolean {
  try {
    return splitChunks(bytes).length === 1
  } catch {
    return false
  }
}

import { invalidChange } from './change.ts'
import { NULL, isText } from './columns.ts'
import type { ByteReader } from './leb128.ts'

/** The types of values (Automerge's binary format, "Raw values"). */
export const VALUE_TYPES = { null: 0, false: 1, true: 2, uint: 3, int: 4, float: 5, text: 6, bytes: 7, counter: 8, timestamp: 9 } as const

const FLOAT_BYTES = 8
const MAX_LEB_BYTES = 10 // of 64 bits

/**
 * Checks that values are of a known type and written as Automerge writes them: numbers in as few bytes as they take.
 * @param meta each value's length << 4 | type
 * @param reader of the column of values, which follow one another
 */
export function checkValues (meta: Int32Array, reader: ByteReader | undefined, bytes: Uint8Array): void {
  for (let row = 0; row < meta.length; row++) {
    if (meta[row] === NULL) throw invalidChange('values without type')
    const length = meta[row]! >> 4
    const type = meta[row]! & 0xf
    if (length > (reader?.left ?? 0)) throw invalidChange('values cut short')
    const at = reader?.at ?? 0
    if (!isValue(type, bytes, at, length)) throw invalidChange(`a value of type ${type} that is none`)
    reader?.skip(length, 'values')
  }
  if (reader !== undefined && reader.left > 0) throw invalidChange('more values than operations')
}

function isValue (type: number, bytes: Uint8Array, at: number, length: number): boolean {
  switch (type) {
    case VALUE_TYPES.null:
    case VALUE_TYPES.false:
    case VALUE_TYPES.true: return length === 0
    case VALUE_TYPES.uint: return isLeb(bytes, at, length) && isShortest(bytes, at, length)
    case VALUE_TYPES.int:
    case VALUE_TYPES.counter:
    case VALUE_TYPES.timestamp: return isLeb(bytes, at, length) && isShortestSigned(bytes, at, length)
    case VALUE_TYPES.float: return length === FLOAT_BYTES
    case VALUE_TYPES.text: return isText(bytes, at, at + length)
    case VALUE_TYPES.bytes: return true
    default: return false
  }
}

/** Whether exactly these bytes are one number, of 64 bits at most. */
function isLeb (bytes: Uint8Array, at: number, length: number): boolean {
  if (length === 0 || length > MAX_LEB_BYTES || bytes[at + length - 1]! >= 0x80) return false
  for (let n = 0; n < length - 1; n++) if (bytes[at + n]! < 0x80) return false
  return true
}

/** Whether the last byte carries something, and no more than there is room for. */
function isShortest (bytes: Uint8Array, at: number, length: number): boolean {
  const last = bytes[at + length - 1]!
  return (length === 1 || last !== 0) && (length < MAX_LEB_BYTES || last <= 1)
}

function isShortestSigned (bytes: Uint8Array, at: number, length: number): boolean {
  if (length === 1) return true
  const last = bytes[at + length - 1]!
  const sign = bytes[at + length - 2]! & 0x40
  const says = last !== (sign === 0 ? 0 : 0x7f)
  return says && (length < MAX_LEB_BYTES || last === 0 || last === 0x7f)
}

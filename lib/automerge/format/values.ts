import { invalidChange } from './change.ts'
import { NULL, isText } from './columns.ts'
import type { ByteReader } from './leb128.ts'

/** The types of values (Automerge's binary format, "Raw values"). */
export const VALUE_TYPES = {
  null: 0, false: 1, true: 2, uint: 3, int: 4, float: 5, text: 6, bytes: 7, counter: 8, timestamp: 9
} as const

const FLOAT_BYTES = 8
const MAX_NUMBER_BYTES = 8 // 53 bits and a sign
/** A counter one above this cannot be incremented: JavaScript's Automerge makes a BigInt of it. */
export const MAX_COUNTED = Number.MAX_SAFE_INTEGER - 1

/**
 * Checks that values are of a known type, written as Automerge writes them (numbers in as few bytes as they take), and
 * numbers that JavaScript has: its Automerge cannot show a document with others.
 * @param meta each value's length << 4 | type
 * @param reader of the column of values, which follow one another in `bytes`
 */
export function checkValues (meta: Int32Array, reader: ByteReader | undefined, bytes: Uint8Array): void {
  for (let row = 0; row < meta.length; row++) {
    if (meta[row] === NULL) throw invalidChange('values without type')
    const length = meta[row]! >> 4
    const type = meta[row]! & 0xf
    if (length > (reader?.left ?? 0)) throw invalidChange('values cut short')
    if (!isValue(type, bytes, reader?.at ?? 0, length)) throw invalidChange(`a value of type ${type} that is none`)
    reader?.skip(length, 'values')
  }
  if (reader !== undefined && reader.left > 0) throw invalidChange('more values than operations')
}

/**
 * The most that all counters and increments can come to: the sum of their amounts without sign.
 * @param isIncrement whether a row's number is one
 */
export function sumCounted (
  meta: Int32Array, reader: ByteReader | undefined, isIncrement: (row: number) => boolean
): number {
  let sum = 0
  for (let row = 0; row < meta.length; row++) {
    const length = meta[row]! >> 4
    const type = meta[row]! & 0xf
    if (length === 0) continue
    if (reader === undefined) return sum
    if (type === VALUE_TYPES.counter || isIncrement(row)) {
      sum += magnitude(reader.take(length, 'values'), 0, length, type !== VALUE_TYPES.uint)
    } else reader.skip(length, 'values')
  }
  return sum
}

function isValue (type: number, bytes: Uint8Array, at: number, length: number): boolean {
  switch (type) {
    case VALUE_TYPES.null:
    case VALUE_TYPES.false:
    case VALUE_TYPES.true: return length === 0
    case VALUE_TYPES.uint: return isNumber(bytes, at, length, false)
    case VALUE_TYPES.int:
    case VALUE_TYPES.counter:
    case VALUE_TYPES.timestamp: return isNumber(bytes, at, length, true)
    case VALUE_TYPES.float: return length === FLOAT_BYTES
    case VALUE_TYPES.text: return isText(bytes, at, at + length)
    case VALUE_TYPES.bytes: return true
    default: return false
  }
}

/** Whether these bytes are one LEB128 number, no longer than it has to be, and JavaScript has it. */
function isNumber (bytes: Uint8Array, at: number, length: number, isSigned: boolean): boolean {
  if (length === 0 || length > MAX_NUMBER_BYTES) return false
  const last = bytes[at + length - 1]!
  if (last >= 0x80) return false
  for (let n = 0; n < length - 1; n++) if (bytes[at + n]! < 0x80) return false
  const filler = isSigned && length > 1 && (bytes[at + length - 2]! & 0x40) !== 0 ? 0x7f : 0
  return (length === 1 || last !== filler) && magnitude(bytes, at, length, isSigned) <= Number.MAX_SAFE_INTEGER
}

/** A LEB128 number without its sign. */
function magnitude (bytes: Uint8Array, at: number, length: number, isSigned: boolean): number {
  const isNegative = isSigned && (bytes[at + length - 1]! & 0x40) !== 0
  let sum = isNegative ? 1 : 0
  for (let n = 0; n < length; n++) sum += ((isNegative ? ~bytes[at + n]! : bytes[at + n]!) & 0x7f) * 2 ** (7 * n)
  return sum
}

import type { Cbor } from './cbor-decode.ts'

/**
 * Writes one item as CBOR (RFC 8949) with definite lengths; map entries that are undefined are left out. Whole numbers
 * of more than 32 bits become doubles, as cbor-x writes them: it reads 64-bit integers as bigints.
 */
export function encodeCbor (value: Cbor): Uint8Array {
  const parts: Uint8Array[] = []
  write(value, parts)
  return Buffer.concat(parts)
}

function write (value: Cbor, parts: Uint8Array[]): void {
  if (value === null || value === undefined || typeof value === 'boolean') {
    parts.push(Buffer.of(value === false ? 0xf4 : value === true ? 0xf5 : value === null ? 0xf6 : 0xf7))
  } else if (typeof value === 'number' || typeof value === 'bigint') {
    parts.push(number(value))
  } else if (typeof value === 'string') {
    const text = Buffer.from(value)
    parts.push(head(3, text.length), text)
  } else if (value instanceof Uint8Array) {
    parts.push(head(2, value.length), value)
  } else if (Array.isArray(value)) {
    parts.push(head(4, value.length))
    for (const item of value) write(item, parts)
  } else {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    parts.push(head(5, entries.length))
    for (const [key, item] of entries) {
      write(key, parts)
      write(item, parts)
    }
  }
}

function number (value: number | bigint): Uint8Array {
  if (typeof value === 'bigint' || (Number.isInteger(value) && Math.abs(value) < 2 ** 32)) {
    return value >= 0 ? head(0, value) : head(1, typeof value === 'bigint' ? -1n - value : -1 - value)
  }
  const double = Buffer.alloc(9)
  double[0] = 0xfb
  double.writeDoubleBE(value, 1)
  return double
}

/** The initial byte of a major type with its argument. */
function head (major: number, argument: number | bigint): Uint8Array {
  const type = major << 5
  if (argument < 24) return Buffer.of(type | Number(argument))
  const size = argument < 0x100 ? 1 : argument < 0x10000 ? 2 : argument < 0x100000000 ? 4 : 8
  const bytes = Buffer.alloc(1 + size)
  bytes[0] = type | (24 + Math.log2(size))
  if (size === 8) bytes.writeBigUInt64BE(BigInt(argument), 1)
  else bytes.writeUIntBE(Number(argument), 1, size)
  return bytes
}

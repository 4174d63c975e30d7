import { RelayError } from '../errors.ts'
import { decodeText } from './text-memo.ts'

/**
 * The part of CBOR (RFC 8949) that automerge-repo's frames are made of: maps, arrays, text, byte strings, numbers,
 * booleans, null and undefined, in definite or indefinite length. A strict reader of its own because frames come from
 * anyone: it allocates no more than the input is long, takes no extension types and stops at a depth.
 */
export type Cbor = undefined | null | boolean | number | bigint | string | Uint8Array | Cbor[] | CborMap
export interface CborMap { [key: string]: Cbor }

const MAX_DEPTH = 16
const TAG_UINT8_ARRAY = 64 // RFC 8746: a byte string by another name
const BREAK = Symbol('break')

const invalid = (problem: string): RelayError =>
  new RelayError('RELAY_FRAME_INVALID', `not a valid CBOR frame: ${problem}`)

/**
 * Reads one CBOR item that fills the input. Byte strings are views on the input, not copies.
 * @throws RelayError RELAY_FRAME_INVALID
 */
export function decodeCbor (input: Uint8Array): Cbor {
  const reader = new Reader(input)
  const value = reader.item(0)
  if (value === BREAK) throw invalid('a break outside of anything')
  if (!reader.done) throw invalid('bytes after the end')
  return value as Cbor
}

class Reader {
  readonly #input: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor (input: Uint8Array) {
    this.#input = input
    this.#view = new DataView(input.buffer, input.byteOffset, input.byteLength)
  }

  get done (): boolean { return this.#at === this.#input.length }

  item (depth: number): Cbor | typeof BREAK {
    if (depth > MAX_DEPTH) throw invalid('nested too deep')
    const initial = this.#byte()
    const major = initial >> 5
    const info = initial & 0x1f
    if (major === 7) return this.#simple(info)
    if (info === 31) return this.#indefinite(major, depth)
    const argument = this.#argument(info)
    switch (major) {
      case 0: return argument
      case 1: return typeof argument === 'bigint' ? -1n - argument : -1 - argument
      case 2: return this.#bytes(argument)
      case 3: return this.#text(this.#bytes(argument))
      case 4: return this.#array(this.#count(argument, 1), depth)
      case 5: return this.#map(this.#count(argument, 2), depth)
      default:
        if (argument !== TAG_UINT8_ARRAY) throw invalid(`tag ${argument}`)
        return this.item(depth + 1)
    }
  }

  #byte (): number {
    const byte = this.#input[this.#at++]
    if (byte === undefined) throw invalid('cut short')
    return byte
  }

  /** The number after an initial byte: beyond 2^53 a bigint, as in JavaScript's own limits. */
  #argument (info: number): number | bigint {
    if (info < 24) return info
    const size = info === 24 ? 1 : info === 25 ? 2 : info === 26 ? 4 : info === 27 ? 8 : 0
    if (size === 0) throw invalid('a reserved length')
    const at = this.#take(size)
    if (size === 1) return this.#view.getUint8(at)
    if (size === 2) return this.#view.getUint16(at)
    if (size === 4) return this.#view.getUint32(at)
    const wide = this.#view.getBigUint64(at)
    return wide <= Number.MAX_SAFE_INTEGER ? Number(wide) : wide
  }

  #take (size: number): number {
    const at = this.#at
    if (size > this.#input.length - at) throw invalid('cut short')
    this.#at += size
    return at
  }

  #bytes (length: number | bigint): Uint8Array {
    const at = this.#take(Number(length))
    return this.#input.subarray(at, this.#at)
  }

  #text (bytes: Uint8Array): string {
    try {
      return decodeText(bytes)
    } catch (cause) {
      throw new RelayError('RELAY_FRAME_INVALID', 'not a valid CBOR frame: text that is not UTF-8', { cause })
    }
  }

  /** Every item takes a byte at least, so a count that the input cannot hold is a lie. */
  #count (count: number | bigint, size: number): number {
    if (count > (this.#input.length - this.#at) / size) throw invalid('cut short')
    return Number(count)
  }

  #array (count: number, depth: number): Cbor[] {
    const items: Cbor[] = []
    for (let n = 0; n < count; n++) items.push(this.#inner(depth))
    return items
  }

  #map (count: number, depth: number): CborMap {
    const map: CborMap = Object.create(null)
    for (let n = 0; n < count; n++) map[this.#key(this.#inner(depth))] = this.#inner(depth)
    return map
  }

  #key (key: Cbor): string {
    if (typeof key !== 'string') throw invalid('a key that is not text')
    return key
  }

  #inner (depth: number): Cbor {
    const value = this.item(depth + 1)
    if (value === BREAK) throw invalid('a break in a wrong place')
    return value
  }

  #indefinite (major: number, depth: number): Cbor {
    const items: Cbor[] = []
    for (let item = this.item(depth + 1); item !== BREAK; item = this.item(depth + 1)) items.push(item)
    if (major === 4) return items
    if (major === 5) {
      if (items.length % 2 !== 0) throw invalid('a key without a value')
      const map: CborMap = Object.create(null)
      for (let n = 0; n < items.length; n += 2) map[this.#key(items[n])] = items[n + 1]
      return map
    }
    if (major === 2 && items.every(item => item instanceof Uint8Array)) return Buffer.concat(items)
    if (major === 3 && items.every(item => typeof item === 'string')) return items.join('')
    throw invalid('an indefinite length in a wrong place')
  }

  #simple (info: number): Cbor | typeof BREAK {
    switch (info) {
      case 20: return false
      case 21: return true
      case 22: return null
      case 23: return undefined
      case 25: return this.#half(this.#view.getUint16(this.#take(2)))
      case 26: return this.#view.getFloat32(this.#take(4))
      case 27: return this.#view.getFloat64(this.#take(8))
      case 31: return BREAK
      default: throw invalid(`simple value ${info}`)
    }
  }

  /** RFC 8949 appendix D. */
  #half (bits: number): number {
    const exponent = (bits >> 10) & 0x1f
    const mantissa = bits & 0x3ff
    const size = exponent === 0
      ? mantissa * 2 ** -24
      : exponent === 31 ? (mantissa === 0 ? Infinity : NaN) : (mantissa + 1024) * 2 ** (exponent - 25)
    return bits & 0x8000 ? -size : size
  }
}

import { HASH_BYTES, actorAt, hashAt, type Hash } from './hash.ts'

/** Numbers of at most 53 bits: 7 bits a byte, and the last byte must carry some. */
const MAX_SHIFT = 49

/**
 * Reads Automerge's binary forms (its binary-format page, "LEB128", "Actor IDs") from front to back. Never reads past
 * the end; a number that does not fit 53 bits or is written longer than it has to be is an error, as in Automerge
 * (which takes 64 bits).
 */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #invalid: (problem: string) => Error
  readonly #end: number
  #at: number

  /** @param invalid makes the error that is thrown */
  constructor (bytes: Uint8Array, invalid: (problem: string) => Error, at = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#invalid = invalid
    this.#at = at
    this.#end = end
  }

  get at (): number { return this.#at }
  get left (): number { return this.#end - this.#at }

  byte (what: string): number {
    if (this.#at >= this.#end) throw this.#short(what)
    return this.#bytes[this.#at++]!
  }

  /** Unsigned LEB128. */
  uint (what: string): number {
    let byte = this.byte(what)
    let value = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > MAX_SHIFT) throw this.#invalid(`${what} is too large`)
      byte = this.byte(what)
      value += (byte & 0x7f) * 2 ** shift
      if (byte === 0) throw this.#invalid(`${what} is written longer than it has to be`)
    }
    if (value > Number.MAX_SAFE_INTEGER) throw this.#invalid(`${what} is too large`)
    return value
  }

  /** Signed LEB128. */
  int (what: string): number {
    let value = 0
    let previous = 0
    for (let shift = 0; shift <= MAX_SHIFT; shift += 7) {
      const byte = this.byte(what)
      if (byte < 0x80) {
        const overlong = shift > 0 && byte === ((previous & 0x40) === 0 ? 0 : 0x7f)
        if (overlong) throw this.#invalid(`${what} is written longer than it has to be`)
        value += (byte < 0x40 ? byte : byte - 0x80) * 2 ** shift
        if (!Number.isSafeInteger(value)) break
        return value
      }
      value += (byte & 0x7f) * 2 ** shift
      previous = byte
    }
    throw this.#invalid(`${what} is too large`)
  }

  /** How many items follow; no more than can be there when each takes `each` bytes at least. */
  count (what: string, each: number): number {
    const count = this.uint(what)
    if (count * each > this.left) throw this.#short(what)
    return count
  }

  skip (length: number, what: string): void {
    if (length > this.left) throw this.#short(what)
    this.#at += length
  }

  /** A length and that many bytes, as a view. */
  prefixed (what: string): Uint8Array {
    return this.take(this.uint(what), what)
  }

  /** That many bytes, as a view. */
  take (length: number, what: string): Uint8Array {
    this.skip(length, what)
    return this.#bytes.subarray(this.#at - length, this.#at)
  }

  /** A length and that many bytes, as hexadecimal text. */
  actor (what: string): string {
    const length = this.uint(what)
    this.skip(length, what)
    return actorAt(this.#bytes, this.#at - length, length)
  }

  /** A count and that many hashes. */
  hashes (what: string): Hash[] {
    const count = this.count(what, HASH_BYTES)
    const hashes: Hash[] = []
    for (let n = 0; n < count; n++, this.#at += HASH_BYTES) hashes.push(hashAt(this.#bytes, this.#at))
    return hashes
  }

  #short (what: string): Error {
    return this.#invalid(`cut short in ${what}`)
  }
}

/** How many bytes a number takes as unsigned LEB128. */
export function uintLength (value: number): number {
  let length = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++
  return length
}

/** Writes a number as unsigned LEB128 and returns where it ends. */
export function writeUint (out: Uint8Array, at: number, value: number): number {
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) out[at++] = rest % 0x80 | 0x80
  out[at++] = rest
  return at
}

import { Buffer } from 'node:buffer'

/** The SHA-256 of a change, as 64 lower-case hexadecimal characters. */
export type Hash = string

export const HASH_BYTES = 32
const ACTOR_BYTES = 16 // as Automerge makes them; others may be of any length
const SLOTS = 1024

/**
 * Remembers the text of byte strings of one length. The heads of a document and its actors come in again with every
 * message of every peer: comparing bytes is ten times cheaper than making the text again, and texts that are one object
 * are quicker in a Map and take memory once.
 */
class HexMemo {
  readonly #length: number
  readonly #bytes: Uint8Array
  readonly #texts = new Array<string>(SLOTS).fill('')

  constructor (length: number) {
    this.#length = length
    this.#bytes = new Uint8Array(SLOTS * length)
  }

  at (bytes: Uint8Array, at: number): string {
    const slot = (bytes[at]! | bytes[at + 1]! << 8) % SLOTS
    const start = slot * this.#length
    let same = 0
    while (same < this.#length && this.#bytes[start + same] === bytes[at + same]) same++
    const known = this.#texts[slot]!
    if (same === this.#length && known !== '') return known
    const text = hex(bytes, at, this.#length)
    for (let n = 0; n < this.#length; n++) this.#bytes[start + n] = bytes[at + n]!
    this.#texts[slot] = text
    return text
  }
}

const hashes = new HexMemo(HASH_BYTES)
const actors = new HexMemo(ACTOR_BYTES)

/** The hash whose 32 bytes start at `at`, which must be within the input. */
export const hashAt = (bytes: Uint8Array, at: number): Hash => hashes.at(bytes, at)

/** An actor id, which must be within the input, as lower-case hexadecimal text. */
export const actorAt = (bytes: Uint8Array, at: number, length: number): string =>
  length === ACTOR_BYTES ? actors.at(bytes, at) : hex(bytes, at, length)

function hex (bytes: Uint8Array, at: number, length: number): string {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('hex', at, at + length)
}

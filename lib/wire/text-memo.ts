const SLOTS = 2_048
const MAX_LENGTH = 64

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * Remembers short texts by their bytes. Every frame names its keys, its type, two peers and a document: comparing bytes
 * is quicker than making the same text again, and a text that is one object is quicker in a Map.
 */
class TextMemo {
  readonly #bytes = new Uint8Array(SLOTS * MAX_LENGTH)
  readonly #texts = new Array<string>(SLOTS).fill('')
  readonly #lengths = new Uint8Array(SLOTS)

  /** @throws TypeError when the bytes are not UTF-8 */
  decode (bytes: Uint8Array): string {
    const { length } = bytes
    if (length === 0 || length > MAX_LENGTH) return utf8.decode(bytes)
    const slot = this.#slotOf(bytes)
    const start = slot * MAX_LENGTH
    if (this.#lengths[slot] === length) {
      let same = 0
      while (same < length && this.#bytes[start + same] === bytes[same]) same++
      if (same === length) return this.#texts[slot]!
    }
    const text = utf8.decode(bytes)
    this.#bytes.set(bytes, start)
    this.#lengths[slot] = length
    this.#texts[slot] = text
    return text
  }

  #slotOf (bytes: Uint8Array): number {
    let hash = bytes.length
    for (let n = 0; n < bytes.length; n += 3) hash = (hash * 31 + bytes[n]!) | 0
    return (hash >>> 0) % SLOTS
  }
}

const memo = new TextMemo()

/** Bytes of UTF-8 as text. @throws TypeError when they are not UTF-8 */
export const decodeText = (bytes: Uint8Array): string => memo.decode(bytes)

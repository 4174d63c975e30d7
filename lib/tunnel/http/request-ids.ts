import { randomFillSync } from 'node:crypto'

const IDS_AT_ONCE = 256
const ID_LENGTH = 36
/** Where each of its 16 bytes is written */
const PLACES = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]
const VERSION = 6
const VARIANT = 8
const DIGITS = Buffer.from('0123456789abcdef')

const bytes = Buffer.alloc(IDS_AT_ONCE * PLACES.length)
const texts = Buffer.alloc(IDS_AT_ONCE * ID_LENGTH, '-')
let next = IDS_AT_ONCE

/**
 * A random UUID (RFC 9562, version 4) that is one piece in memory. Those of `randomUUID` are twenty, joined by whoever
 * reads them first, and again for every header they are checked in: 4 % of what a small call costs.
 */
export function newRequestId (): string {
  if (next === IDS_AT_ONCE) refill()
  const start = next++ * ID_LENGTH
  return texts.toString('latin1', start, start + ID_LENGTH)
}

function refill (): void {
  randomFillSync(bytes)
  for (let n = 0, at = 0; n < IDS_AT_ONCE; n++, at += PLACES.length) {
    bytes[at + VERSION] = 0x40 | bytes[at + VERSION]! & 0x0f
    bytes[at + VARIANT] = 0x80 | bytes[at + VARIANT]! & 0x3f
    for (let i = 0; i < PLACES.length; i++) {
      const byte = bytes[at + i]!
      const place = n * ID_LENGTH + PLACES[i]!
      texts[place] = DIGITS[byte >> 4]!
      texts[place + 1] = DIGITS[byte & 15]!
    }
  }
  next = 0
}

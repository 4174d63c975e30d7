import { createHash, randomBytes } from 'node:crypto'
import { invert, multiply } from '../../ces/coding/gf256.ts'
import { RelayError } from '../../errors.ts'

/** A part of a key; so many of them as the threshold says give it, fewer tell nothing. `x`: 1 to 255. */
export interface KeyShare {
  readonly x: number
  readonly share: Uint8Array
}

/**
 * Shamir's secret sharing, byte by byte, over the field of the shards.
 * @param random coefficients, for test vectors only
 * @throws RelayError RELAY_BAD_REQUEST for numbers that make no sense
 */
export function splitKey (
  key: Uint8Array,
  threshold: number,
  shares: number,
  random: (bytes: number) => Uint8Array = randomBytes
): KeyShare[] {
  if (threshold < 1 || threshold > shares || shares > 255) {
    throw new RelayError(
      'RELAY_BAD_REQUEST',
      `a key is not split into ${shares} shares of which ${threshold} give it`
    )
  }
  const coefficients = Array.from({ length: threshold - 1 }, () => random(key.length))
  return Array.from({ length: shares }, (_, at) => {
    const x = at + 1
    const share = key.map((byte, position) => {
      let [sum, power] = [byte, 1]
      for (const coefficient of coefficients) {
        power = multiply(power, x)
        sum ^= multiply(coefficient[position]!, power)
      }
      return sum
    })
    return { x, share }
  })
}

/** The key from as many different shares as the threshold; from others or fewer it is nonsense, which opens nothing. */
export function joinKey (shares: readonly KeyShare[]): Uint8Array {
  return shares[0]!.share.map((_, position) => {
    let sum = 0
    for (const { x, share } of shares) {
      let factor = 1
      for (const other of shares) if (other.x !== x) factor = multiply(factor, multiply(other.x, invert(other.x ^ x)))
      sum ^= multiply(share[position]!, factor)
    }
    return sum
  })
}

/** SHA-256(x || share): whether a share is the one that was given out. */
export const shareSum = ({ x, share }: KeyShare): Buffer =>
  createHash('sha256').update(Uint8Array.of(x)).update(share).digest()

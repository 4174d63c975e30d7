/** GF(2^8) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11D), of which 2 generates every element but 0. */
const POLYNOMIAL = 0x11d

const exp = new Uint8Array(510) // twice over, so that a sum of two logarithms needs no reduction
const log = new Uint8Array(256)
for (let power = 0, value = 1; power < 255; power++) {
  exp[power] = exp[power + 255] = value
  log[value] = power
  value <<= 1
  if (value > 255) value ^= POLYNOMIAL
}

/** The product of two elements. */
export const multiply = (a: number, b: number): number => a === 0 || b === 0 ? 0 : exp[log[a]! + log[b]!]!

/** The element that gives 1 with this one. @throws RangeError for 0, which has none */
export function invert (a: number): number {
  if (a === 0) throw new RangeError('0 has no inverse')
  return exp[255 - log[a]!]!
}

/** An element to a power; 0 to the power of 0 is 1. */
export function power (a: number, n: number): number {
  if (n === 0) return 1
  return a === 0 ? 0 : exp[log[a]! * n % 255]!
}

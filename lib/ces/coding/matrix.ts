import { invert, multiply, power } from './gf256.ts'

/** Rows of elements of GF(2^8). */
export type Matrix = Uint8Array[]

/** a × b. */
export function product (a: Matrix, b: Matrix): Matrix {
  return a.map(row =>
    Uint8Array.from(b[0]!, (_, column) => {
      let sum = 0
      for (let at = 0; at < row.length; at++) sum ^= multiply(row[at]!, b[at]![column]!)
      return sum
    })
  )
}

/** The inverse of a square matrix, by Gauss and Jordan. @throws RangeError when it has none */
export function inverse (matrix: Matrix): Matrix {
  const size = matrix.length
  const rows = matrix.map((row, at) => {
    const wide = new Uint8Array(2 * size)
    wide.set(row)
    wide[size + at] = 1
    return wide
  })
  for (let at = 0; at < size; at++) {
    const found = rows.findIndex((row, below) => below >= at && row[at] !== 0)
    if (found === -1) throw new RangeError('the matrix has no inverse')
    const pivot = rows[found]!
    rows[found] = rows[at]!
    rows[at] = pivot
    addTimes(pivot, pivot, invert(pivot[at]!) ^ 1)
    for (const row of rows) if (row !== pivot && row[at] !== 0) addTimes(row, pivot, row[at]!)
  }
  return rows.map(row => row.slice(size))
}

/** row += factor × other. */
function addTimes (row: Uint8Array, other: Uint8Array, factor: number): void {
  for (let at = 0; at < row.length; at++) row[at]! ^= multiply(other[at]!, factor)
}

/**
 * k + m rows that give each shard from the data shards: the data shards themselves, then the parity. A Vandermonde
 * matrix (row r, column c: r^c) times the inverse of its top, as Backblaze's JavaReedSolomon and its ports have it:
 * any k rows can be inverted.
 */
export function codingMatrix (k: number, m: number): Matrix {
  const vandermonde = Array.from({ length: k + m }, (_, row) =>
    Uint8Array.from({ length: k }, (_, column) => power(row, column))
  )
  return product(vandermonde, inverse(vandermonde.slice(0, k)))
}

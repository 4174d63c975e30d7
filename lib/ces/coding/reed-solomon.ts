import { RelayError } from '../../errors.ts'
import { multiply, power } from './gf256.ts'
import type { Kernel } from './kernel.ts'
import { codingMatrix, inverse, product, type Matrix } from './matrix.ts'

const MATRICES = 256 // sets of lost shards whose matrix is kept

/** k data shards and m of parity, any k of which give the others. A shard's index: the data shards come first. */
export class ReedSolomon {
  readonly k: number
  readonly m: number
  readonly #kernel: Kernel
  readonly #matrix: Matrix
  readonly #matrices = new Map<string, Matrix>()

  /** @throws RelayError RELAY_BAD_REQUEST for a geometry there is not */
  constructor (k: number, m: number, kernel: Kernel) {
    checkGeometry(k, m)
    this.k = k
    this.m = m
    this.#kernel = kernel
    this.#matrix = codingMatrix(k, m)
  }

  /** Fills the parity shards (m) from the data shards (k), all of one length. */
  encode (data: readonly Uint8Array[], parity: readonly Uint8Array[]): void {
    this.rebuild(
      data.map((_, index) => index),
      data,
      parity.map((_, at) => this.k + at),
      parity
    )
  }

  /**
   * Fills lost shards from k others.
   * @param present indexes of `shards`, in their order
   * @param lost indexes of `outputs`
   */
  rebuild (
    present: readonly number[],
    shards: readonly Uint8Array[],
    lost: readonly number[],
    outputs: readonly Uint8Array[]
  ): void {
    this.#kernel.multiply(this.#rows(present, lost), shards, outputs)
  }

  /**
   * Whether the shards of a whole set belong together. A sum of all of them with factors that make it 0 everywhere: a
   * third of the work of encoding again, and no single wrong shard can pass.
   */
  agree (shards: readonly Uint8Array[]): boolean {
    const sum = new Uint8Array(shards[0]!.length)
    this.#kernel.multiply(this.#check(), shards, [sum])
    return (
      new Uint32Array(sum.buffer, 0, sum.length >>> 2).every(isZero) && sum.subarray(sum.length & ~3).every(isZero)
    )
  }

  #rows (present: readonly number[], wanted: readonly number[]): Matrix {
    return this.#kept(`${present.join()}:${wanted.join()}`, () => {
      const known = inverse(present.map(index => this.#matrix[index]!))
      return product(
        wanted.map(index => this.#matrix[index]!),
        known
      )
    })
  }

  /** One row, with a factor for each shard, none of them 0. */
  #check (): Matrix {
    return this.#kept('check', () => {
      for (let base = 1; base < 256; base++) {
        const row = new Uint8Array(this.k + this.m)
        for (let at = 0; at < this.m; at++) {
          const factor = (row[this.k + at] = power(base, at))
          this.#matrix[this.k + at]!.forEach((coefficient, index) => {
            row[index]! ^= multiply(factor, coefficient)
          })
        }
        if (!row.includes(0)) return [row]
      }
      throw new RangeError(`no check of ${this.k} and ${this.m} shards sees them all`)
    })
  }

  /** The same matrix for the same key: the kernel knows it again and keeps its tables. */
  #kept (key: string, make: () => Matrix): Matrix {
    const known = this.#matrices.get(key)
    if (known !== undefined) return known
    const made = make()
    if (this.#matrices.size >= MATRICES) this.#matrices.delete(this.#matrices.keys().next().value!)
    this.#matrices.set(key, made)
    return made
  }
}

const isZero = (value: number): boolean => value === 0

/** @throws RelayError RELAY_BAD_REQUEST: a shard's index has to fit into a byte */
export function checkGeometry (k: number, m: number): void {
  if (!Number.isInteger(k) || !Number.isInteger(m) || k < 1 || m < 1 || k + m > 255) {
    throw new RelayError(
      'RELAY_BAD_REQUEST',
      `there is no geometry of ${k} data and ${m} parity shards: each is at least 1, both together at most 255`
    )
  }
}

import t from 'tap'
import { createHash } from 'node:crypto'
import { chooseKernel } from '../../../lib/ces/coding/choose-kernel.ts'
import type { Kernel } from '../../../lib/ces/coding/kernel.ts'
import { codingMatrix } from '../../../lib/ces/coding/matrix.ts'
import { PlainKernel } from '../../../lib/ces/coding/plain-kernel.ts'
import { ReedSolomon } from '../../../lib/ces/coding/reed-solomon.ts'
import { SimdKernel } from '../../../lib/ces/coding/simd-kernel.ts'
import { hex, lcg, vectors } from './vectors.ts'

const kernels: Kernel[] = [new SimdKernel(), new PlainKernel()]

function split (data: Uint8Array, k: number): Uint8Array[] {
  const length = data.length / k
  return Array.from({ length: k }, (_, at) => data.subarray(at * length, (at + 1) * length))
}

function encode (kernel: Kernel, data: Uint8Array[], m: number): Uint8Array[] {
  const parity = Array.from({ length: m }, () => new Uint8Array(data[0]!.length))
  new ReedSolomon(data.length, m, kernel).encode(data, parity)
  return parity
}

t.test('the published example of 5 + 5', async t => {
  const data = [[0, 1], [4, 5], [2, 3], [6, 7], [8, 9]].map(shard => Uint8Array.from(shard))
  const parity = [[12, 13], [10, 11], [14, 15], [90, 91], [94, 95]]
  for (const kernel of kernels) t.strictSame(encode(kernel, data, 5).map(shard => [...shard]), parity, kernel.name)
})

t.test('the rows of 8 + 4', async t => {
  t.strictSame(codingMatrix(8, 4).slice(8).map(row => [...row]), [
    [26, 132, 186, 51, 231, 16, 198, 39], [132, 26, 51, 186, 16, 231, 39, 198],
    [186, 51, 26, 132, 198, 39, 231, 16], [51, 186, 132, 26, 39, 198, 16, 231]
  ])
})

t.test('vectors of thirteen geometries', async t => {
  interface Case {
    k: number
    m: number
    parity_rows: number[][]
    shard_length: number
    data_sha256: string
    parity: string[]
  }
  const file = await vectors<{ cases: Case[] }>(t, 'reed-solomon.json')
  for (const { k, m, parity_rows: rows, shard_length: length, data_sha256: sum, parity } of file?.cases ?? []) {
    const data = lcg(k * length)
    t.equal(createHash('sha256').update(data).digest('hex'), sum)
    t.strictSame(codingMatrix(k, m).slice(k).map(row => [...row]), rows, `rows of ${k}+${m}`)
    for (const kernel of kernels) {
      t.strictSame(encode(kernel, split(data, k), m).map(hex), parity, `${k}+${m}, ${kernel.name}`)
    }
  }
})

t.test('both kernels give the same for every length around a step and a block', async t => {
  for (const length of [1, 15, 16, 17, 31, 32, 33, 32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1, 65 * 1024 + 7]) {
    for (const [k, m] of [[1, 1], [2, 1], [5, 3], [8, 4], [10, 9]] as const) {
      const data = split(lcg(k * length), k)
      const [simd, plain] = kernels.map(kernel => encode(kernel, data, m).map(hex))
      t.strictSame(simd, plain, `${k}+${m} of ${length}`)
    }
  }
})

t.test('all 794 losses of up to 4 of 12 come back', async t => {
  const coder = new ReedSolomon(8, 4, chooseKernel())
  const losses = subsets(12, 4)
  t.equal(losses.length, 794)
  for (const length of [1, 5, 16, 33]) {
    const data = split(lcg(8 * length), 8)
    const whole = [...data, ...encode(chooseKernel(), data, 4)]
    const failed = losses.filter(lost => {
      const present = whole.map((_, index) => index).filter(index => !lost.includes(index)).slice(0, 8)
      const made = lost.map(() => new Uint8Array(length))
      coder.rebuild(present, present.map(index => whole[index]!), lost, made)
      return !lost.every((index, at) => hex(made[at]!) === hex(whole[index]!))
    })
    t.strictSame(failed, [], `shards of ${length}`)
  }
})

t.test('a set with one wrong shard does not agree', async t => {
  for (const [k, m] of [[1, 1], [2, 1], [8, 4], [100, 50], [200, 55]] as const) {
    const data = split(lcg(k * 7), k)
    const whole = [...data, ...encode(chooseKernel(), data, m)]
    const coder = new ReedSolomon(k, m, chooseKernel())
    t.ok(coder.agree(whole), `${k}+${m}`)
    const seen = whole.filter((shard, index) => {
      shard[index % 7]! ^= 1 << index % 8
      const isSeen = !coder.agree(whole)
      shard[index % 7]! ^= 1 << index % 8
      return isSeen
    })
    t.equal(seen.length, k + m, `each of ${k}+${m} is seen`)
  }
})

t.test('a geometry that there is not is refused', async t => {
  for (const [k, m] of [[0, 1], [1, 0], [200, 56], [1.5, 1], [NaN, 1]] as const) {
    t.throws(() => new ReedSolomon(k, m, chooseKernel()), { code: 'RELAY_BAD_REQUEST' }, `${k}+${m}`)
  }
})

/** All sets of up to `most` of the numbers below `count`, the empty one too. */
function subsets (count: number, most: number): number[][] {
  const found: number[][] = [[]]
  for (let at = 0; at < found.length; at++) {
    const set = found[at]!
    if (set.length === most) continue
    for (let next = (set.at(-1) ?? -1) + 1; next < count; next++) found.push([...set, next])
  }
  return found
}

import t from 'tap'
import { createHash } from 'node:crypto'
import { zstdBomb } from './bombs.ts'
import { decodeCompat, encodeCompat, sealCompat } from '../../../lib/ces/compat.ts'
import { nodePlatform } from '../../../lib/ces/node-platform.ts'
import { bytes, hex, lcg, vectors } from './vectors.ts'

const platform = await nodePlatform()
const key = Uint8Array.from({ length: 32 }, (_, at) => at)
const nonce = Uint8Array.from({ length: 24 }, (_, at) => 0x40 + at)
const sha256 = (...parts: Uint8Array[]): string => createHash('sha256').update(Buffer.concat(parts)).digest('hex')
const without = (shards: Uint8Array[], lost: number[]): Map<number, Uint8Array> =>
  new Map([...shards.entries()].filter(([index]) => !lost.includes(index)))

t.test('the first vector', async t => {
  const shards = sealCompat(platform, Uint8Array.from({ length: 100 }, (_, at) => at), key, {}, nonce)
  t.equal(hex(shards[0]!), '8c000000404142434445464748494a4b4c4d')
  t.equal(hex(shards[8]!), '396c9ed65ff8454d1d5c39b4155e5dad85ea')
  t.equal(sha256(...shards), 'b8312719f3796b3ae13194cbeef5a7f418b18b666af26956f252a536cfb3f0fe')
})

interface Case {
  z_length: number
  k: number
  m: number
  buf_sha256: string
  shard_length: number
  shard_sha256: string[]
  sha256_joined: string
}
interface Whole {
  name: string
  plain_length: number
  plain_sha256: string
  zstd_frame: string
  shards: string[]
  sha256_joined: string
}

t.test('all vectors, byte for byte', async t => {
  const file = await vectors<{ cases: Case[], whole: Whole[] }>(t, 'compat.json')
  for (const {
    z_length: length, k, m, shard_length: shard, shard_sha256: sums, sha256_joined: joined
  } of file?.cases ?? []) {
    const shards = sealCompat(platform, lcg(length), key, { k, m }, nonce)
    t.ok(shards.every(({ length }) => length === shard), `${k}+${m} of ${length}`)
    t.strictSame(shards.map(shard => sha256(shard)), sums)
    t.equal(sha256(...shards), joined)
  }
  for (const {
    name, plain_length: length, plain_sha256: sum, zstd_frame: frame, shards: expected, sha256_joined: joined
  } of file?.whole ?? []) {
    const shards = sealCompat(platform, bytes(frame), key, {}, nonce)
    if (expected !== undefined) t.strictSame(shards.map(hex), expected, name)
    t.equal(sha256(...shards), joined)
    for (const lost of [[], [0, 1, 2, 3], [8, 9, 10, 11], [0, 5, 7, 9]]) {
      const plain = await decodeCompat(platform, without(shards, lost), key, length)
      t.equal(plain.length, length)
      t.equal(sha256(plain), sum, `${name} without ${lost.join()}`)
    }
  }
})

t.test('what it writes it reads, and what is wrong has an error', async t => {
  const plain = Buffer.from('a document '.repeat(1000))
  const shards = await encodeCompat(platform, plain, key)
  t.strictSame(Buffer.from(await decodeCompat(platform, without(shards, [1, 3, 4, 9]), key, plain.length)), plain)
  const wrong = { code: 'RELAY_VAULT_DAMAGED' }
  await t.rejects(decodeCompat(platform, without(shards, [1, 3, 4, 9, 10]), key, plain.length), wrong, 'too few')
  await t.rejects(decodeCompat(platform, without(shards, []), lcg(32), plain.length), wrong, 'another key')
  await t.rejects(
    decodeCompat(platform, new Map(shards.entries()).set(2, shards[2]!.subarray(1)), key, plain.length),
    wrong,
    'a short one'
  )
  await t.rejects(
    decodeCompat(platform, new Map(shards.entries()).set(0, new Uint8Array(shards[0]!.length)), key, plain.length),
    wrong,
    'a length of 0'
  )
  await t.rejects(decodeCompat(platform, without(shards, []), key, plain.length - 1), wrong, 'more than is taken')
  const bomb = sealCompat(platform, await zstdBomb(platform, 64 * 1024 * 1024), key, {}, nonce)
  await t.rejects(decodeCompat(platform, without(bomb, []), key, 1024 * 1024), wrong, 'a bomb')
})

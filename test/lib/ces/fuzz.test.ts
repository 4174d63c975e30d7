import t from 'tap'
import { randomInt } from 'node:crypto'
import { RelayError } from '../../../lib/errors.ts'
import { checkZstdFrame } from '../../../lib/ces/codec/zstd-frame.ts'
import { readFrame, writeFrame } from '../../../lib/ces/format/frame.ts'
import { mismatchOf, readShardHeader } from '../../../lib/ces/format/shard-file.ts'
import { nodePlatform } from '../../../lib/ces/node-platform.ts'
import { pack, unpack } from '../../../lib/ces/pack.ts'
import { SegmentCoder } from '../../../lib/ces/segment.ts'
import { mutate, random } from '../../fuzz.ts'
import { lcg } from './vectors.ts'

const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
t.comment(`SEED=${seed}`)
const below = random(seed)
const platform = await nodePlatform()
const coder = new SegmentCoder(platform)
const id = { seal: lcg(16), number: 0, isLast: true, k: 3, m: 2 }
const made = await coder.encode(lcg(300), lcg(32), id)

/** What it gives, or undefined for the error that is expected of what is broken. */
function tried<T> (read: () => T, code: string): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof RelayError && error.code === code) return undefined
    throw error
  }
}

t.test('headers of shards', async t => {
  for (let n = 0; n < 5_000; n++) {
    const file = mutate(made.files[below(5)]!, made.files[below(5)]!, below)
    const header = tried(() => readShardHeader(file), 'RELAY_SHARD_INVALID')
    if (header !== undefined && (header.index >= header.k + header.m || header.length !== file.length - 32)) {
      t.fail('out of bounds')
    }
    mismatchOf(file, id, 0, made.length)
  }
})

t.test('frames', async t => {
  for (let n = 0; n < 5_000; n++) {
    const bodies = made.files.slice(0, 3).map(file => file.slice(32))
    const head = mutate(bodies[0]!, bodies[1]!, below).subarray(0, made.length)
    bodies[0]!.fill(0).set(head)
    const frame = tried(() => readFrame(bodies), 'RELAY_VAULT_DAMAGED')
    if (frame === undefined) continue
    const again = bodies.map(body => new Uint8Array(body.length))
    writeFrame(frame, again)
    const length = frame.ciphertext.reduce((sum, piece) => sum + piece.length, 44)
    if (!platform.equal(Buffer.concat(again).subarray(0, length), Buffer.concat(bodies).subarray(0, length))) {
      t.fail('another frame')
    }
  }
})

t.test('shards that are decoded', async t => {
  for (let n = 0; n < 1_000; n++) {
    const files = new Map(made.files.entries())
    for (let wrong = below(3); wrong >= 0; wrong--) {
      files.set(below(5), mutate(made.files[below(5)]!, made.files[below(5)]!, below))
    }
    try {
      const { plain } = await coder.decode(files, lcg(32), { ...id, ...made })
      if (!platform.equal(plain, lcg(300))) t.fail('other bytes')
    } catch (error) {
      if (!(error instanceof RelayError) || error.code !== 'RELAY_VAULT_DAMAGED') throw error
    }
  }
})

t.test('packs', async t => {
  const members = [{ about: { name: 'a' }, bytes: lcg(10) }, { about: {}, bytes: lcg(0) }, {
    about: { n: [1] }, bytes: lcg(50)
  }]
  const packed = pack(members)
  t.strictSame(unpack(packed).map(({ about, bytes }) => ({ about, bytes: new Uint8Array(bytes) })), members)
  t.strictSame(unpack(pack([])), [])
  for (let n = 0; n < 5_000; n++) tried(() => unpack(mutate(packed, packed, below)), 'RELAY_VAULT_DAMAGED')
})

t.test('what says it is zstd or deflate', async t => {
  const { zstd, deflate } = platform.compressions
  const text = Buffer.from('text '.repeat(100))
  for (const compression of [zstd!, deflate!]) {
    const compressed = await compression.compress(text)
    for (let n = 0; n < 5_000; n++) {
      try {
        const plain = await compression.decompress(mutate(compressed, compressed, below), text.length)
        if (plain.length > text.length) t.fail('more than was asked for')
      } catch (error) {
        if (!(error instanceof Error)) throw error
      }
    }
  }
  for (const length of [0, 1, 255, 256, 65_791, 65_792, 5_000_000]) {
    for (const plain of [new Uint8Array(length), lcg(length)]) {
      const frame = await zstd!.compress(plain)
      checkZstdFrame(frame, length)
      t.throws(() => { checkZstdFrame(frame, length + 1) }, /where \d+ are expected/)
      t.throws(() => { checkZstdFrame(frame.subarray(0, -1), length) }, Error, 'cut off')
      t.throws(() => { checkZstdFrame(Buffer.concat([frame, frame]), length) }, /in \d+/, 'two frames')
    }
  }
})

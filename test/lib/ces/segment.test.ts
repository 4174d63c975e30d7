import t from 'tap'
import { browserPlatform } from '../../../lib/ces/browser-platform.ts'
import type { Codec, Compressions } from '../../../lib/ces/codec/codec.ts'
import { segmentAad, type SegmentHeader, type SegmentId } from '../../../lib/ces/format/segment-header.ts'
import { nodePlatform } from '../../../lib/ces/node-platform.ts'
import type { Platform } from '../../../lib/ces/platform.ts'
import { SegmentCoder, type EncodedSegment, type Segment } from '../../../lib/ces/segment.ts'
import { zstdBomb } from './bombs.ts'
import { bytes, hex, lcg, vectors } from './vectors.ts'

const platform = await nodePlatform()
const coder = new SegmentCoder(platform)
const key = lcg(32)
const id: SegmentId = { seal: lcg(48).subarray(32), number: 2, isLast: true, k: 8, m: 4 }
const damaged = (message: RegExp): { code: string, message: RegExp } => ({ code: 'RELAY_VAULT_DAMAGED', message })

const segmentOf = ({ codec, plain, length, names }: EncodedSegment, at: SegmentId = id): Segment =>
  ({ ...at, codec, plain, length, names })
const mapOf = ({ files }: EncodedSegment, lost: number[] = []): Map<number, Uint8Array> =>
  new Map(files.map((file, index): [number, Uint8Array] => [index, file]).filter(([index]) => !lost.includes(index)))

t.test('vectors of the format', async t => {
  interface Case {
    name: string
    codec: Codec
    k: number
    m: number
    last: boolean
    segment: number
    plain: string
    plain_length: number
    compressed?: string
    aad: string
    shard_length: number
    first_file: string
    names: string[]
  }
  interface File { key: string, nonce: string, seal: string, segments: Case[] }
  const file = await vectors<File>(t, 'vault-format.json')
  for (const {
    name, codec, k, m, last, segment, plain_length: length, compressed, aad, shard_length: shard, first_file: first,
    names
  } of file?.segments ?? []) {
    const plain = codec === 0
      ? lcg(length)
      : Buffer.from('The quick brown fox jumps over the lazy dog. '.repeat(length)).subarray(0, length)
    const id = { seal: bytes(file!.seal), number: segment, isLast: last, k, m }
    t.equal(hex(segmentAad({ ...id, codec, plain: length })), aad, name)
    // with the compressed bytes of the vector, since compressors differ
    const fixed = {
      compress: () => compressed === undefined || compressed === '' ? plain : bytes(compressed), decompress: () => plain
    }
    const compressions: Compressions = codec === 0 ? {} : codec === 1 ? { zstd: fixed } : { deflate: fixed }
    const made = await new SegmentCoder({ ...platform, compressions }).encode(
      plain, bytes(file!.key), id, bytes(file!.nonce)
    )
    t.equal(made.codec, codec)
    t.equal(made.length, shard)
    t.equal(hex(made.files[0]!), first)
    t.strictSame(made.names.map(hex), names)
    const { plain: read } = await coder.decode(mapOf(made, [0]), bytes(file!.key), segmentOf(made, id))
    t.strictSame(Buffer.from(read), Buffer.from(plain), 'and is read with the real one')
  }
})

t.test('every size comes back without any 4 of 12 shards', async t => {
  const losses = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [0, 3, 8, 11]]
  for (const size of [0, 1, 7, 8, 9, 8 * 100 - 1, 8 * 100, 8 * 100 + 1, 200_000]) {
    const plain = lcg(size)
    const made = await coder.encode(plain, key, id)
    for (const lost of losses) {
      const { plain: read, wrong } = await coder.decode(mapOf(made, lost), key, segmentOf(made))
      t.ok(platform.equal(read, plain), `${size} bytes without ${lost.join()}`)
      t.strictSame(wrong, [])
      const rebuilt = await coder.rebuild(mapOf(made, lost), segmentOf(made), lost)
      t.ok(
        lost.every((index, at) => platform.equal(rebuilt.files[at]!, made.files[index]!)), 'and the files are the same'
      )
    }
  }
})

t.test('only what shrinks is compressed', async t => {
  const text = Buffer.from('A sentence that comes again and again. '.repeat(10_000))
  t.equal((await coder.encode(text, key, id)).codec, 1)
  t.equal((await coder.encode(lcg(400_000), key, id)).codec, 0)
  t.equal((await coder.encode(lcg(1_000), key, id)).codec, 0)
  const { zstd, ...others } = platform.compressions
  const without = new SegmentCoder({ ...platform, compressions: others })
  const deflated = await without.encode(text, key, id)
  t.equal(deflated.codec, 2)
  t.ok(platform.equal((await coder.decode(mapOf(deflated), key, segmentOf(deflated))).plain, text))
  const made = await coder.encode(text, key, id)
  await t.rejects(without.decode(mapOf(made), key, segmentOf(made)), {
    code: 'RELAY_BAD_OPTION', message: /npm install @cloudpss\/zstd/
  })
})

t.test('a browser reads what Node writes, and Node what a browser writes', async t => {
  const browser = new SegmentCoder(await browserPlatform())
  for (const plain of [lcg(70_000), Buffer.from('a sentence, '.repeat(20_000)), new Uint8Array(0)]) {
    for (const [from, to] of [[coder, browser], [browser, coder]] as const) {
      const made = await from.encode(plain, key, id)
      t.ok(platform.equal((await to.decode(mapOf(made, [0, 11]), key, segmentOf(made))).plain, plain))
    }
  }
  const { zstd, ...deflateOnly } = (await browserPlatform()).compressions
  const small = new SegmentCoder({ ...await browserPlatform(), compressions: deflateOnly })
  const made = await small.encode(Buffer.from('a sentence, '.repeat(20_000)), key, id)
  t.equal(made.codec, 2)
  t.ok((await coder.decode(mapOf(made), key, segmentOf(made))).plain.length === 240_000)
})

t.test('a flipped bit anywhere is pinned to its shard, and read round', async t => {
  const plain = lcg(500)
  const made = await coder.encode(plain, key, id)
  const size = made.files[0]!.length
  for (let at = 0; at < size; at++) {
    const index = at % 12
    const file = made.files[index]!.slice()
    file[at]! ^= 1 << at % 8
    const { plain: read, wrong } = await coder.decode(mapOf(made).set(index, file), key, segmentOf(made))
    t.strictSame(wrong.map(({ index }) => index), [index], `byte ${at}`)
    t.ok(platform.equal(read, plain))
  }
})

t.test('what is short, foreign, swapped, out of order or from elsewhere is told apart', async t => {
  const made = await coder.encode(lcg(500), key, id)
  const segment = segmentOf(made)
  const wrongOf = async (file: Uint8Array): Promise<string> =>
    (await coder.decode(mapOf(made).set(3, file), key, segment)).wrong[0]!.why
  const other = async (at: Partial<SegmentId>): Promise<Uint8Array> =>
    (await coder.encode(lcg(500), key, { ...id, ...at })).files[3]!
  t.match(await wrongOf(made.files[3]!.subarray(0, 20)), /too short/)
  t.match(await wrongOf(made.files[3]!.subarray(0, -1)), /says it has/)
  t.match(await wrongOf(Buffer.from('<html>503 Service Unavailable, and more than 32 bytes</html>')), /not a shard/)
  t.match(await wrongOf(made.files[4]!), /shard 4 where 3 should be/)
  t.match(await wrongOf(await other({ seal: new Uint8Array(16) })), /another object/)
  t.match(await wrongOf(await other({ number: 1 })), /segment 1 where that of 2/)
  t.match(await wrongOf(await other({ k: 7, m: 5 })), /7\+5/)
  t.match(await wrongOf(await other({})), /not those that were stored/)
  await t.rejects(coder.decode(mapOf(made, [0, 1, 2, 3, 4]), key, segment), damaged(/7 good shards of the 8/))
  await t.rejects(coder.decode(mapOf(made), lcg(64).subarray(32), segment), damaged(/another key/))
  // a manifest that lies about where the segment belongs: names are right, and it does not open
  for (const lie of [{ isLast: false }, { plain: 499 }, { codec: 1 as const }]) {
    await t.rejects(coder.decode(mapOf(made), key, { ...segment, ...lie }), damaged(/does not open/))
  }
})

t.test('a bomb is refused before it goes off', async t => {
  const bomb = await zstdBomb(platform, 128 * 1024 * 1024)
  const header: SegmentHeader = { ...id, codec: 1, plain: 20_000 }
  const before = process.memoryUsage().rss
  const zstd = { compress: () => bomb, decompress: () => new Uint8Array(20_000) }
  const made = await new SegmentCoder({ ...platform, compressions: { zstd } }).encode(
    new Uint8Array(20_000), key, header
  )
  await t.rejects(coder.decode(mapOf(made), key, segmentOf(made)), damaged(/cannot be decompressed to the 20000 bytes/))
  t.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024)
})

t.test('a segment that does not open again is not given out', async t => {
  const broken = (part: Partial<Platform>): SegmentCoder => new SegmentCoder({ ...platform, ...part })
  const text = Buffer.from('text '.repeat(2_000))
  const error = { code: 'RELAY_INTERNAL', message: /memory of this machine/ }
  const { zstd } = platform.compressions
  const wrongZstd = {
    compress: (plain: Uint8Array) => zstd!.compress(Uint8Array.from(plain, (byte, at) => at === 77 ? byte ^ 4 : byte)),
    decompress: zstd!.decompress
  }
  await t.rejects(
    broken({ compressions: { zstd: wrongZstd } }).encode(text, key, id), error, 'a compressor with a fault'
  )
  const seal: Platform['cipher']['seal'] = (...args) => {
    const sealed = platform.cipher.seal(...args)
    sealed.ciphertext[5]! ^= 1
    return sealed
  }
  await t.rejects(
    broken({ cipher: { ...platform.cipher, seal } }).encode(text, key, id), error, 'a bit that flips after sealing'
  )
  const multiply: Platform['kernel']['multiply'] = (rows, inputs, outputs) => {
    platform.kernel.multiply(rows, inputs, outputs)
    if (outputs.length === 4) outputs[2]![1]! ^= 16
  }
  await t.rejects(broken({ kernel: { name: 'plain', multiply } }).encode(text, key, id), error, 'parity that is wrong')
})

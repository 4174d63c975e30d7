import { randomBytes } from 'node:crypto'
import { deflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Archive } from '../../../../lib/bundles/file/archive.ts'
import { RelayError } from '../../../../lib/errors.ts'
import { refuses } from '../../objects/object-behaviour.ts'
import { sourceOf } from '../source.ts'
import { oddZip, zip } from '../zip.ts'

const MiB = 1024 * 1024
const limits = { maxEntries: 100, maxEntry: MiB, maxInflated: 4 * MiB }
const text = Buffer.from('some text, some text, some text')
const noise = randomBytes(300_000)

const open = async (bytes: Uint8Array, some = {}, chunk?: number) =>
  await Archive.open(sourceOf(bytes, chunk), { ...limits, ...some })

const readAll = async (archive: Archive) => {
  const all: Array<[string, Uint8Array]> = []
  for (const entry of archive.entries.values()) all.push([entry.name, await archive.read(entry)])
  return new Map(all)
}

const holds = async (t: Test, archive: Archive, expected: Record<string, Uint8Array>) => {
  const found = await readAll(archive)
  t.strictSame([...found.keys()].sort(), Object.keys(expected).sort())
  for (const [name, bytes] of Object.entries(expected)) {
    t.ok(found.get(name) !== undefined && Buffer.compare(found.get(name)!, bytes) === 0, name)
  }
}

/** Refused when it is opened or when its entries are read. */
const refused = async (t: Test, bytes: Uint8Array, reason: RegExp, code = 'RELAY_BUNDLE_INVALID', some = {}) => {
  const error = await refuses(t, open(bytes, some).then(readAll), code)
  t.match(error.message, reason)
}

t.test('deflated and stored entries, empty ones, and comments', async t => {
  const both = [['a', text], ['b', noise], ['empty', Buffer.alloc(0)]] as const
  await holds(t, await open(await zip(both)), { a: text, b: noise, empty: Buffer.alloc(0) })
  await holds(
    t, await open(await zip(both, { compress: false, fileComment: 'of an entry', comment: 'of the file' })),
    { a: text, b: noise, empty: Buffer.alloc(0) }
  )
})

t.test('data descriptors, zip64, extra fields, and folders', async t => {
  const both = [['f/'], ['f/a', text], ['f/b', noise]] as const
  const expected = { 'f/': Buffer.alloc(0), 'f/a': text, 'f/b': noise }
  await holds(t, await open(await zip(both, { streamed: true })), expected)
  await holds(t, await open(await zip(both, { streamed: true, compress: false })), expected)
  await holds(t, await open(await zip(both, { forceZip64Format: true })), expected)
  await holds(t, await open(await zip(both, { forceZip64Format: true, streamed: true })), expected)
  const longExtra = oddZip([
    { name: 'a', bytes: text, localExtra: Buffer.alloc(60_000) }, { name: 'b', bytes: noise, method: 0 }
  ])
  await holds(t, await open(longExtra), { a: text, b: noise })
})

t.test('whatever the pieces the source comes in', async t => {
  for (const chunk of [1, 7, 30, 1000]) {
    await holds(
      t, await open(oddZip([{ name: 'a', bytes: text }, { name: 'b', bytes: text, method: 0 }]), {}, chunk),
      { a: text, b: text }
    )
  }
})

t.test('a prefix is taken when the offsets count it, and gaps between entries', async t => {
  await holds(t, await open(oddZip([{ name: 'a', bytes: text }], { prefix: noise })), { a: text })
  await refused(t, oddZip([{ name: 'a', bytes: text }], { prefix: noise, blind: true }), /signature/)
})

t.test('what is not a ZIP, or not all of one', async t => {
  const whole = await zip([['a', text], ['b', noise]])
  await refused(t, Buffer.alloc(0), /not a zip file/)
  await refused(t, Buffer.from('hello'), /not a zip file/)
  await refused(t, noise, /not a zip file/)
  await refused(t, whole.subarray(0, whole.length - 1), /not a zip file|comment/)
  await refused(t, whole.subarray(100), /points past its end/)
  await refused(t, Buffer.concat([whole, Buffer.from('more')]), /comment/)
  await refused(t, oddZip([{ name: 'a', bytes: text }], { count: 2 }), /points past its end/)
  await refused(t, oddZip([{ name: 'a', bytes: text }], { disk: 1 }), /multi-disk/)
})

t.test('zip64 numbers that point nowhere', async t => {
  const bytes = await zip([['a', text]], { forceZip64Format: true })
  const locator = bytes.indexOf('PK\x06\x07')
  for (const offset of [2n ** 63n, 2n ** 53n, BigInt(bytes.length)]) {
    const bad = Buffer.from(bytes)
    bad.writeBigUInt64LE(offset, locator + 8)
    await refused(t, bad, /points past its end/)
  }
  for (const [size, reason] of [[2n ** 62n, /cut short/], [2n ** 63n, /cut short/]] as const) {
    const extra = Buffer.alloc(12)
    extra.writeUInt16LE(1, 0)
    extra.writeUInt16LE(8, 2)
    extra.writeBigUInt64LE(size, 4)
    await refused(t, oddZip([{ name: 'a', bytes: text, compressedSize: 0xffff_ffff, extra }]), reason)
  }
})

t.test('sizes that lie, both ways', async t => {
  await refused(t, oddZip([{ name: 'a', bytes: text, size: text.length - 1 }]), /"a" is larger than declared/)
  await refused(t, oddZip([{ name: 'a', bytes: text, size: text.length + 1 }]), /"a" is smaller than declared/)
  await refused(t, oddZip([{ name: 'a', bytes: text, size: 0 }]), /"a" is larger than declared/)
  const deflated = deflateRawSync(text)
  await refused(
    t, oddZip([{ name: 'a', bytes: text, compressedSize: deflated.length - 3 }, { name: 'b', bytes: text }]),
    /"a" is damaged/
  )
  await refused(
    t, oddZip([{ name: 'a', bytes: text, compressedSize: deflated.length + 3 }, { name: 'b', bytes: text }]),
    /"a" overlaps/
  )
  for (const more of [1, 200_000, 900_000]) {
    await refused(
      t, oddZip([{ name: 'a', bytes: text, raw: Buffer.concat([deflated, Buffer.alloc(more, 1)]) }]), /not its own/
    )
  }
  await refused(t, oddZip([{ name: 'a', bytes: text, method: 0, size: 5 }]), /size mismatch|larger/)
})

t.test('a bomb of zeros stops at its declared size', async t => {
  const bomb = deflateRawSync(Buffer.alloc(64 * MiB))
  t.ok(bomb.length < 100_000)
  await refused(t, oddZip([{ name: 'a', bytes: text, raw: bomb }]), /"a" is larger than declared/)
  await refused(
    t, oddZip([{ name: 'a', raw: bomb, size: 64 * MiB }]), /has 67108864 bytes, at most/, 'RELAY_BUNDLE_TOO_LARGE'
  )
  const five = Array.from('abcde', name => ({ name, bytes: Buffer.alloc(MiB) }))
  await refused(t, oddZip(five), /more than 4194304 bytes/, 'RELAY_BUNDLE_TOO_LARGE')
})

t.test('a bomb of entries that share their bytes', async t => {
  const kernel = { name: 'a', bytes: Buffer.alloc(100_000) }
  const same = oddZip([kernel, { ...kernel, name: 'b', raw: Buffer.alloc(0), compressedSize: 0, offset: 0 }])
  await refused(t, same, /overlaps/)
  const quoted = [{ name: 'a', bytes: Buffer.alloc(40), method: 0 }, { name: 'b', bytes: text, offset: 60 }]
  await refused(t, oddZip(quoted), /"a" overlaps|"b" is not where/)
  const many = Array.from({ length: 101 }, (_, n) => ({ name: `${n}` }))
  await refused(t, oddZip(many), /101 entries, at most 100/, 'RELAY_BUNDLE_TOO_LARGE')
})

t.test('a local header longer than its place', async t => {
  const extra = Buffer.alloc(40)
  const bytes = oddZip([{ name: 'a', bytes: text, localExtra: extra }, { name: 'b', bytes: text }])
  bytes.writeUInt16LE(43, 28)
  await refused(t, bytes, /"a" overlaps/)
  bytes.writeUInt16LE(0xffff, 28)
  await refused(t, bytes, /"a" is cut short/)
})

t.test('names twice, too long, or other ones in the file than in the directory', async t => {
  await refused(t, oddZip([{ name: 'a', bytes: text }, { name: 'a', bytes: text }]), /"a" is in it twice/)
  await refused(t, oddZip([{ name: 'x'.repeat(256) }]), /too long a name/)
  await refused(t, oddZip([{ name: 'a', bytes: text, localName: 'b' }]), /not what the directory says/)
  const method = oddZip([{ name: 'a', bytes: text }])
  method.writeUInt16LE(0, 8)
  await refused(t, method, /not what the directory says/)
  t.strictSame(
    [...(await open(oddZip([{ name: 'a\\b' }, { name: '../a' }]))).entries.keys()], ['a\\b', '../a'],
    'names are as they are'
  )
})

t.test('encrypted entries and methods other than 0 and 8', async t => {
  await refused(t, oddZip([{ name: 'a', bytes: text, flags: 1 }]), /encrypted/)
  await refused(t, oddZip([{ name: 'a', bytes: text, flags: 0x41 }]), /encrypt/)
  for (const method of [1, 9, 12, 14, 93, 99]) {
    await refused(t, oddZip([{ name: 'a', bytes: text, method }]), /compression method/)
  }
})

t.test('damage: CRC-32, deflate stream, missing header', async t => {
  await refused(t, oddZip([{ name: 'a', bytes: text, crc: 1 }]), /CRC-32/)
  await refused(t, oddZip([{ name: 'a', bytes: text, raw: randomBytes(20) }]), /"a" is (damaged|larger)|not its own/)
  await refused(t, oddZip([{ name: 'a', bytes: text, raw: Buffer.alloc(0) }]), /"a" is damaged/)
  await refused(t, oddZip([{ name: 'a', bytes: text, offset: 3 }]), /not where the directory says|cut short/)
  await refused(t, oddZip([{ name: 'a', bytes: text, offset: 0xffff_fff0 }]), /cut short/)
  const bytes = await zip([['b', noise]], { compress: false })
  bytes[1000]! ^= 1
  await refused(t, bytes, /CRC-32/)
})

t.test('an error of the source is its own, and others are the bundle’s', async t => {
  const source = sourceOf(await zip([['b', noise]]))
  const failing = {
    size: source.size, stream: () => source.stream().destroy(new RelayError('RELAY_STORE_UNAVAILABLE', 'no'))
  }
  await refuses(t, Archive.open(failing, limits), 'RELAY_STORE_UNAVAILABLE')
  const foreign = { size: source.size, stream: () => source.stream().destroy(new Error('of a host’s own store')) }
  await t.rejects(Archive.open(foreign, limits), { name: 'Error', message: 'of a host’s own store' })
  const archive = await Archive.open({ size: source.size, stream: range => source.stream(range) }, limits)
  await source.close()
  await refuses(t, archive.read(archive.entries.get('b')!), 'RELAY_INTERNAL')
  const short = sourceOf((await zip([['b', noise]])).subarray(0, 1000))
  await refuses(t, Archive.open({ size: 300_000, stream: () => short.stream() }, limits), 'RELAY_BUNDLE_CHANGED')
})

t.test('reads the end, the directory and what is asked for, a request each', async t => {
  const documents = Array.from(
    { length: 3000 }, (_, n) => [`storage/${String(n).padStart(40, '0')}`, noise.subarray(0, 1000)] as const
  )
  const source = sourceOf(await zip([['manifest.json', text], ...documents], { compress: false }))
  const archive = await Archive.open(source, { ...limits, maxEntries: 5000 })
  t.equal(source.reads.length, 3, 'the directory has 300 kB: the end and two blocks')
  await archive.read(archive.entries.get('manifest.json')!)
  await archive.read(archive.entries.get(documents[1500]![0])!)
  t.equal(source.reads.length, 5)
  t.ok(source.read < 600_000, `${source.read} of ${source.size} bytes`)

  const small = sourceOf(await zip([['manifest.json', text], ['a', noise.subarray(0, 1000)]]))
  await readAll(await Archive.open(small, limits))
  t.equal(small.reads.length, 1, 'a small one is read once')
})

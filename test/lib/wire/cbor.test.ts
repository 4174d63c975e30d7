import t from 'tap'
import { Encoder } from 'cbor-x'
import { decodeCbor, type Cbor } from '../../../lib/wire/cbor-decode.ts'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'

// how automerge-repo sets its codec up
const theirs = new Encoder({ tagUint8Array: false, useRecords: false })
const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(' ', ''), 'hex'))
/** Values of both codecs in one form: bytes as lists, bigints as text, undefined as text. */
function plain (value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value]
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]))
  }
  return typeof value === 'bigint' ? `${value}n` : value === undefined ? '(undefined)' : value
}

const samples: Cbor[] = [
  0, 1, 23, 24, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, -1, -24, -25, -256, -257,
  -(2 ** 33), Number.MIN_SAFE_INTEGER,
  1.5, -0.1, 1e300, true, false, null, undefined, '', 'text', 'ü€😀', 'x'.repeat(70_000), new Uint8Array(0),
  new Uint8Array(300).fill(7),
  [], [1, ['a', null]], { a: 1, b: { c: [new Uint8Array([1, 2])] } }
]

t.test('what we write, automerge-repo’s codec reads, and the other way round', async t => {
  for (const value of samples) {
    const label = String(JSON.stringify(value)).slice(0, 40)
    t.strictSame(plain(theirs.decode(encodeCbor(value))), plain(value), `we write ${label}`)
    t.strictSame(plain(decodeCbor(theirs.encode(value))), plain(value), `we read ${label}`)
  }
})

t.test('entries that are undefined are not written', async t => {
  t.strictSame(encodeCbor({ a: undefined, b: 1 }), Buffer.from(hex('a1 6162 01')))
})

t.test('other forms of the same', async t => {
  for (const [bytes, value] of [
    ['9f 01 02 ff', [1, 2]], ['bf 6161 01 ff', { a: 1 }], ['7f 6161 6162 ff', 'ab'], ['5f 4101 4102 ff', [1, 2]],
    ['d840 420102', [1, 2]], ['f9 3c00', 1], ['f9 c000', -2], ['f9 0001', 2 ** -24], ['fa 3fc00000', 1.5], ['18 05', 5],
    ['1b 0020000000000000', '9007199254740992n'], ['3b ffffffffffffffff', '-18446744073709551616n']
  ] as const) t.strictSame(plain(decodeCbor(hex(bytes))), value, bytes)
  t.equal(decodeCbor(hex('f9 7c00')), Infinity)
  t.ok(Number.isNaN(decodeCbor(hex('f9 7e00'))))
})

t.test('what is not CBOR, or not of the kind frames are made of, is refused', async t => {
  for (const bytes of [
    '', 'ff', '01 01', '18', '19 00', '62 61', '42 01', '82 01', 'a1 6161', 'a1 01 02', '1c', '61 ff', 'bf 6161 ff',
    '7f 4161 ff', '5f 6161 ff', '1f', 'df',
    '9b 7fffffffffffffff', '9a ffffffff', 'bb 0000000100000000', '5b 7fffffffffffffff', '7a 7fffffff',
    'c0 6161', 'd9 d9f7 01', 'd8 69 80', 'f8 20', 'e0', '9f 01', '82 ff 01', '81'.repeat(20) + '01',
    '9f'.repeat(100_000)
  ]) t.throws(() => decodeCbor(hex(bytes)), { code: 'RELAY_FRAME_INVALID' }, bytes.slice(0, 30))
})

t.test('a key cannot reach the prototype', async t => {
  const map = decodeCbor(encodeCbor(
    Object.fromEntries([['__proto__', { polluted: true }], ['constructor', 1]]) as never
  )) as Record<string, unknown>
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
  t.strictSame(Object.keys(map).sort(), ['__proto__', 'constructor'])
})

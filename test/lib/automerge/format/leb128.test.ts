import t from 'tap'
import { ByteReader, uintLength, writeUint } from '../../../../lib/automerge/format/leb128.ts'

const reader = (...bytes: number[]) => new ByteReader(Uint8Array.from(bytes), problem => new Error(problem))
const edges = [
  0, 1, 63, 64, 127, 128, 129, 255, 16383, 16384, 2 ** 28, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 49,
  Number.MAX_SAFE_INTEGER
]

/** Signed LEB128, made with bigints to be another way than the one that is tested. */
function signed (value: bigint): number[] {
  const byte = Number(value & 0x7fn)
  const rest = value >> 7n
  return (rest === 0n && byte < 0x40) || (rest === -1n && byte >= 0x40) ? [byte] : [byte | 0x80, ...signed(rest)]
}

t.test('unsigned numbers are read as they are written', async t => {
  for (const value of edges) {
    const out = new Uint8Array(uintLength(value))
    t.equal(writeUint(out, 0, value), out.length, `length of ${value}`)
    const numbers = reader(...out)
    t.equal(numbers.uint('it'), value)
    t.equal(numbers.left, 0)
  }
})

t.test('signed numbers', async t => {
  for (const value of [...edges, ...edges.map(edge => -edge), -65, -8192, -8193]) {
    const numbers = reader(...signed(BigInt(value)))
    t.equal(numbers.int('it') + 0, value + 0, String(value))
    t.equal(numbers.left, 0)
  }
})

t.test('what is too large, too long or cut short', async t => {
  const tooLarge = /it is too large/
  const overlong = /it is written longer than it has to be/
  const short = /cut short in it/
  t.throws(() => reader(...new Array(7).fill(0xff), 0x10).uint('it'), tooLarge, '2 ** 53')
  t.throws(() => reader(...new Array(30).fill(0xff), 0).uint('it'), tooLarge)
  t.throws(() => reader(...signed(2n ** 53n)).int('it'), tooLarge)
  t.throws(() => reader(...signed(-(2n ** 53n))).int('it'), tooLarge)
  t.throws(() => reader(...signed(2n ** 62n)).int('it'), tooLarge)
  t.throws(() => reader(0x80, 0).uint('it'), overlong)
  t.throws(() => reader(0xff, 0x80, 0).uint('it'), overlong)
  t.throws(() => reader(0xbf, 0).int('it'), overlong, '63 needs no second byte')
  t.throws(() => reader(0xc0, 0x7f).int('it'), overlong, '-64 needs no second byte')
  t.equal(reader(0xc0, 0).int('it'), 64)
  t.equal(reader(0xbf, 0x7f).int('it'), -65)
  for (const method of ['uint', 'int', 'byte', 'prefixed', 'actor', 'hashes'] as const) {
    t.throws(() => reader()[method]('it'), short, `${method} of nothing`)
    if (method !== 'byte') t.throws(() => reader(0x81)[method]('it'), short, `${method} of half a number`)
  }
  t.throws(() => reader(3, 1, 2).prefixed('it'), short)
  t.throws(() => reader(3, 1, 2).actor('it'), short)
  t.throws(() => reader(1, ...new Array(31).fill(0)).hashes('it'), short)
  t.throws(() => reader(...new Array(6).fill(0xff), 1).hashes('it'), short, 'more hashes than the input can hold')
  t.throws(() => reader(3, 0, 0, 0, 0, 0).count('it', 2), short)
  t.throws(() => reader(1).skip(2, 'it'), short)
})

t.test('a reader of a part ends where the part ends', async t => {
  const part = new ByteReader(Uint8Array.from([9, 1, 0x81, 1, 9]), problem => new Error(problem), 1, 3)
  t.equal(part.uint('it'), 1)
  t.throws(() => part.uint('it'), /cut short/)
})

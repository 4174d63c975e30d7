import t, { type Test } from 'tap'
import { deflateRawSync, constants } from 'node:zlib'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../../lib/automerge/format/change.ts'
import { leb, mutate, random, shortened } from '../../../fuzz.ts'
import { compress, compressedChunk, contentsOf, sampleDocument, seal } from '../changes.ts'

const document = sampleDocument()
const changes: Uint8Array[] = Automerge.getAllChanges(document)
const small = changes.filter(change => change.length < 300)
const invalid = (problem: string | RegExp) =>
  ({ code: 'RELAY_DOCUMENT_INVALID', message: typeof problem === 'string' ? new RegExp(problem) : problem })

/** What Automerge reads in a change, in our form. */
function theirs (chunk: Uint8Array) {
  const { hash, deps, actor, seq, startOp, time, ops } = Automerge.decodeChange(chunk)
  return { hash: hash!, deps, actor, seq, startOp, opCount: ops.length, time }
}

function ours (chunk: Uint8Array) {
  const { bytes, byteLength, actors, plain, columns, ...header } = readChange(chunk)
  return header
}

/** How much of a chunk it takes for it to be accepted. */
function acceptedAt (chunk: Uint8Array, read: (chunk: Uint8Array) => unknown): number {
  for (let length = 0; length < chunk.length; length++) {
    if (attempt(() => read(chunk.subarray(0, length))) !== undefined) return length
  }
  return chunk.length
}

const attempt = <T> (read: () => T): T | undefined => {
  try {
    return read()
  } catch {
    return undefined // refused; by whom and whether rightly is for the caller to say
  }
}

function compare (t: Test, chunk: Uint8Array, plainLength: number) {
  const { bytes, byteLength, actors, plain, columns, ...header } = readChange(chunk)
  t.strictSame(header, theirs(chunk))
  t.equal(bytes, chunk)
  t.equal(byteLength, plainLength)
}

t.test('reads what Automerge reads', async t => {
  t.ok(changes.some(change => Automerge.decodeChange(change).deps.length > 1), 'the sample has merges')
  t.ok(changes.some(change => Automerge.decodeChange(change).ops.length === 0), 'and an empty change')
  for (const change of changes) {
    compare(t, change, change.length)
    compare(t, compress(change), change.length)
    compare(t, Buffer.from(compress(change)), change.length)
  }
})

t.test('reads any form of compression', async t => {
  const change = changes.at(-1)!
  const options = [{ level: 0 }, { level: 9 }, { strategy: constants.Z_FIXED }, { strategy: constants.Z_HUFFMAN_ONLY }]
  for (const option of options) {
    compare(t, compressedChunk(change, deflateRawSync(contentsOf(change), option)), change.length)
  }
})

t.test('a change cut short anywhere, or with more after it, is refused', async t => {
  for (const change of changes) {
    t.equal(acceptedAt(change, readChange), change.length)
    t.equal(acceptedAt(compress(change), readChange), compress(change).length)
    t.throws(() => readChange(Buffer.concat([change, change])), invalid('bytes after the end'))
  }
})

t.test('contents cut short anywhere are refused though length and checksum fit', async t => {
  for (const change of small.map(contentsOf)) {
    t.equal(acceptedAt(change, part => readChange(seal(1, part))), change.length)
  }
})

t.test('with any bit flipped it is refused, or it reads the same', async t => {
  let same = 0
  for (const change of small) {
    for (const chunk of [Buffer.from(change), compress(change)]) {
      const expected = ours(chunk)
      for (let bit = 0; bit < chunk.length * 8; bit++) {
        chunk[bit >> 3]! ^= 1 << (bit & 7)
        const header = attempt(() => ours(chunk))
        if (header !== undefined) {
          if (chunk[8] !== 2) t.fail('a flipped bit that the checksum does not show')
          t.strictSame(header, expected)
          same++
        }
        chunk[bit >> 3]! ^= 1 << (bit & 7)
      }
    }
  }
  t.comment(`${same} flipped bits of compressed changes that say nothing`)
})

/** How many rounds: `FUZZ_ROUNDS=300000 npx tap ...` for a long run. */
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 20_000)
/** What is refused here and taken by Automerge, which then cannot load what it saves. */
const stricter = /seq is 0|column \d+|out of order|an empty column/

t.test('damaged contents under a right checksum read as Automerge reads them, or are refused', async t => {
  const below = random(1)
  const tally = { both: 0, neither: 0, header: 0, stricter: 0 }
  const pick = () => contentsOf(small[below(small.length)]!)
  // of what is read; the checksum covers the bytes
  const text = (header: object) => JSON.stringify({ ...header, hash: '' })
  const read = (contents: Uint8Array) => {
    try {
      return text(ours(seal(1, contents)))
    } catch (error) {
      return String(error)
    }
  }
  for (let n = rounds; n > 0; n--) {
    const contents = mutate(pick(), pick(), below)
    const result = read(contents)
    if (/more than \d+ operations/.test(result)) continue // Automerge would build them all
    const refused = result.startsWith('RelayError')
    const expected = attempt(() => text(theirs(seal(1, contents))))
    if (expected === undefined) tally[refused ? 'neither' : 'header']++ // operations are not read here
    else if (result === expected) tally.both++
    else if (refused &&
        [result, ...shortened(contents).map(read)].some(other => other === expected || stricter.test(other))) {
      tally.stricter++
    } else t.fail(`${result} for ${expected}: ${Buffer.from(contents).toString('hex')}`)
  }
  t.comment(tally)
  t.ok(tally.both > 0 && tally.neither > 0 && tally.header > 0, 'of each kind')
})

t.test('a checksum that is wrong, which Automerge’s decodeChange takes', async t => {
  const change = Buffer.from(changes[0]!)
  change[5]! ^= 1
  t.equal(Automerge.decodeChange(change).seq, 1)
  t.throws(() => readChange(change), invalid('the checksum is wrong'))
  t.throws(() => readChange(compress(change)), invalid('the checksum is wrong'))
})

/** The contents of a change; what is not given is as in an honest one. */
function contents ({
  deps = [0],
  actor = [1, 7],
  seq = [1],
  startOp = [1],
  time = [0],
  message = [0],
  others = [0],
  columns = [[0x15, 3], [0x34, 1], [0x42, 2], [0x56, 2], [0x70, 2]],
  data = [0x7f, 1, 97, 1, 0x7f, 1, 0x7f, 0, 0x7f, 0]
}) {
  const lengths = columns.flatMap(([column, length]) => [...leb(column!), ...leb(length!)])
  return Uint8Array.from(
    [deps, actor, seq, startOp, time, message, others, columns.length, lengths, data].flat()
  )
}

t.test('what does not fit', async t => {
  t.strictSame(ours(seal(1, contents({}))), theirs(seal(1, contents({}))))
  const action = (...data: number[]) => ({ columns: [[0x42, data.length]], data })
  const max = leb(2 ** 31 - 1)
  for (const [problem, wrong] of Object.entries({
    'seq is 0': [{ seq: [0] }],
    'startOp is out of range': [{ startOp: [0] }, { startOp: leb(2 ** 31) }, { startOp: max, ...action(2, 1) }],
    'seq is too large': [{ seq: leb(2 ** 60) }],
    'time is too large': [{ time: leb(2 ** 55) }],
    'written longer': [{ seq: [0x81, 0] }, { time: [0xff, 0x7f] }],
    'the message is not text': [{ message: [2, 0xc3, 0x28] }],
    'other actors are out of order': [{ others: [1, 1, 7] }, { others: [2, 1, 6, 1, 6] }, { others: [2, 1, 6, 1, 5] }],
    'cut short in dependencies': [{ deps: [...leb(2 ** 50)] }, { deps: [9] }],
    'cut short in the actor': [{ actor: leb(2 ** 50) }, { actor: [100, 1] }],
    'cut short in the message': [{ message: leb(2 ** 50) }],
    'cut short in other actors': [{ others: leb(2 ** 50) }],
    'cut short in columns': [{ columns: [[0x42, 100]] }, { columns: [[0x15, 2 ** 52], [0x42, 2]] }],
    'column 184': [{ columns: [[0xb8, 1]] }],
    'column 74': [{ columns: [[0x42 | 8, 2]] }],
    'columns are out of order': [{ columns: [[0x42, 2], [0x34, 1]] }, { columns: [[0x42, 2], [0x42, 2]] }],
    'an empty column': [{ columns: [[0x15, 0], [0x42, 2]] }],
    'an operation without action': [action(0, 1)],
    'more than 1048576 operations': [action(...leb(2 ** 40), 1), action(...new Array(4).fill(0x80), 0x70, 1), action(
      0x80, 0x80, 0x80, 2, 1, 0x80, 0x80, 0x80, 2, 2, 1, 1
    )],
    'cut short in an action': [action(3), action(0x7d, 1, 1)]
  })) {
    for (const fields of wrong) {
      t.throws(() => readChange(seal(1, contents(fields))), invalid(problem), `${problem}: ${JSON.stringify(fields)}`)
    }
  }
  t.match(
    ours(seal(1, contents({ startOp: max, ...action(1, 1) }))),
    { startOp: 2 ** 31 - 1, opCount: 1 },
    'the last counter there is'
  )
  t.match(ours(seal(1, contents({ time: [0x7f] }))), { time: -1 })
  t.throws(() => readChange(seal(1, contents(action(3, 1))), { maxOps: 2 }), invalid('more than 2 operations'))
})

t.test('what is not a change', async t => {
  const [change] = changes
  const retyped = (type: number) => seal(type, contentsOf(change!))
  for (const type of [0, 3, 4, 255]) t.throws(() => readChange(retyped(type)), invalid(`type ${type}`))
  t.throws(() => readChange(Automerge.save(document)), invalid('type 0'))
  t.throws(() => readChange(Buffer.from('hello world')), invalid('no chunk starts here'))
  t.throws(
    () => readChange(Buffer.concat([change!.subarray(0, 9), Buffer.from(leb(2 ** 50)), change!.subarray(10)])),
    invalid('cut short')
  )
})

t.test('compression that is none, cut short, followed by something, or a bomb', async t => {
  const [change] = changes
  const deflated = deflateRawSync(contentsOf(change!))
  t.throws(() => readChange(compressedChunk(change!, Buffer.alloc(0))), invalid('cannot be inflated'))
  t.throws(() => readChange(compressedChunk(change!, Buffer.alloc(10, 0xff))), invalid('cannot be inflated'))
  t.throws(() => readChange(compressedChunk(change!, deflated.subarray(0, -1))), invalid('cannot be inflated'))
  t.throws(() => readChange(compressedChunk(change!, Buffer.concat([deflated, Buffer.alloc(5)]))), invalid(
    'bytes after the end of what is compressed'
  ))
  t.ok(
    Automerge.decodeChange(compressedChunk(change!, Buffer.concat([deflated, Buffer.alloc(5)]))), 'Automerge takes that'
  )
  const bomb = deflateRawSync(Buffer.alloc(65 * 2 ** 20))
  t.ok(bomb.length < 100_000)
  t.throws(() => readChange(compressedChunk(change!, bomb)), invalid('cannot be inflated to 67108864 bytes'))
  const large = compress(changes.at(-1)!)
  const { length } = contentsOf(changes.at(-1)!)
  t.equal(readChange(large, { maxBytes: length }).byteLength, changes.at(-1)!.length)
  t.throws(() => readChange(large, { maxBytes: length - 1 }), invalid(`cannot be inflated to ${length - 1} bytes`))
})

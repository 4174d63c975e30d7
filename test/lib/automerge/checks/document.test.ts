import t from 'tap'
import { deflateRawSync } from 'node:zlib'
import * as Automerge from '@automerge/automerge'
import { readDocument } from '../../../../lib/automerge/checks/document.ts'
import { RelayError } from '../../../../lib/errors.ts'
import { leb, mutate, random } from '../../../fuzz.ts'
import { contentsOf, sampleDocument, seal } from '../changes.ts'
import { honestDocuments } from '../honest.ts'
import { randomDocument } from '../random-document.ts'

const invalid = (problem: string) => ({ code: 'RELAY_DOCUMENT_INVALID', message: new RegExp(problem) })
const document = sampleDocument()
const saved = Automerge.save(document)

t.test('what Automerge says of documents', async t => {
  for (const chunks of await honestDocuments()) {
    const doc = Automerge.load(Buffer.concat(chunks))
    const { heads, headOps, seqs, maxOp, changeCount, room } = readDocument(Automerge.save(doc))
    const changes = Automerge.getChangesMetaSince(doc, [])
    const byHash = new Map(changes.map(change => [change.hash, change]))
    const lastOf = (hashes: string[]) => Math.max(0, ...hashes.map(hash => byHash.get(hash)!.maxOp))
    const ours = { heads, headOps, seqs: [...seqs].sort(), maxOp, changeCount, room }
    const theirs = {
      heads: Automerge.getHeads(doc),
      headOps: Automerge.getHeads(doc).map(hash => byHash.get(hash)!.maxOp),
      seqs: [...new Map(changes.map(({ actor, seq }) => [actor, seq]))].sort(),
      maxOp: lastOf([...byHash.keys()]),
      changeCount: changes.length,
      room: changes.reduce((sum, { maxOp, deps }) => sum + maxOp - lastOf(deps), 0)
    }
    t.strictSame(ours, theirs)
  }
  t.match(readDocument(Automerge.save(Automerge.init())), {
    heads: [], headOps: [], maxOp: 0, changeCount: 0, opCount: 0, room: 0
  })
})

t.test('a document that ends before the places of its heads, as the oldest do', async t => {
  const merged = Automerge.merge(Automerge.clone<unknown>(document), Automerge.from({ a: 1 }))
  const contents = contentsOf(Automerge.save(merged))
  const { heads, headOps, ...rest } = readDocument(Automerge.save(merged))
  t.equal(heads.length, 2)
  const old = readDocument(seal(0, contents.subarray(0, -2)))
  t.strictSame(old, { heads, headOps: heads.map(() => Math.max(...headOps)), ...rest })
})

t.test('cut short, with more after it, with any bit flipped', async t => {
  for (let length = 0; length < saved.length; length += 7) {
    t.throws(() => readDocument(saved.subarray(0, length)), invalid('cut short|no chunk'))
  }
  t.throws(() => readDocument(Buffer.concat([saved, saved])), invalid('bytes after the end'))
  t.throws(() => readDocument(Automerge.getLastLocalChange(document)!), invalid('type 1'))
  const flipped = Buffer.from(saved)
  let taken = 0
  for (let bit = 0; bit < saved.length * 8; bit += 11) {
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    try {
      readDocument(flipped)
      taken++
    } catch (error) {
      if (!(error instanceof RelayError)) throw error
    }
    flipped[bit >> 3]! ^= 1 << (bit & 7)
  }
  t.equal(taken, 0)
})

t.test('what does not fit', async t => {
  t.throws(() => readDocument(seal(0, Uint8Array.from(leb(2 ** 40)))), invalid('cut short in actors'))
  t.throws(() => readDocument(seal(0, Uint8Array.from([1, 9, 1]))), invalid('cut short in an actor'))
  t.throws(() => readDocument(seal(0, Uint8Array.from([0, 1, 1]))), invalid('cut short in heads'))
  t.throws(() => readDocument(seal(0, Uint8Array.from([0, 0, 1, 1, 9, 0]))), invalid('cut short in columns'))
  t.throws(() => readDocument(saved, { maxOps: 100 }), invalid('more than 100 operations'))
})

t.test('columns that inflate to more than there is room for', async t => {
  const bomb = deflateRawSync(Buffer.alloc(2 ** 20))
  const contents = [1, 1, 7, 0, 1, 0x01 | 0x08, ...leb(bomb.length), 0, ...bomb]
  t.throws(() => readDocument(seal(0, Uint8Array.from(contents)), { maxBytes: 2 ** 19 }), invalid('cannot be inflated'))
})

/** How many rounds: `FUZZ_ROUNDS=300000 npx tap ...` for a long run. */
const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 5_000)

t.test('damaged contents under a right checksum are read, or refused', async t => {
  const below = random(1)
  const samples = [
    contentsOf(saved), ...Array.from({ length: 10 }, () => contentsOf(Automerge.save(randomDocument(below))))
  ]
  const tally = { read: 0, refused: 0 }
  for (let n = rounds; n > 0; n--) {
    const contents = mutate(samples[below(samples.length)]!, samples[below(samples.length)]!, below)
    try {
      readDocument(seal(0, contents), { maxOps: 2 ** 20, maxBytes: 2 ** 24 })
      tally.read++
    } catch (error) {
      if (!(error instanceof RelayError)) throw error
      tally.refused++
    }
  }
  t.comment(tally)
  t.ok(tally.read > 0 && tally.refused > 0)
})

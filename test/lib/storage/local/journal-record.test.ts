import t from 'tap'
import { decodeRecords, encodeRecord, isCutShort } from '../../../../lib/storage/local/journal-record.ts'
import type { ChangeRecord } from '../../../../lib/storage/change-log.ts'
import type { DocumentId } from '../../../../lib/ids.ts'
import { random, seeds } from '../disk.ts'

const ids = [
  '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ', '4NMNnkMhL8jXrdJ9jamS58PAVdXu', 'S3Fx1ZVKBS8V9GKqdnG1wdCnUbs'
] as [DocumentId, DocumentId, DocumentId]
const log: ChangeRecord[] = [
  { id: ids[0], changes: Buffer.from('one') },
  { id: ids[0], changes: Buffer.alloc(0) },
  { id: ids[1], changes: Buffer.alloc(100) },
  { id: ids[1], changes: Buffer.alloc(0), chunk: 'a1b2' },
  { id: ids[2], changes: Buffer.from('the last') }
]
const plain = (records: ChangeRecord[]) =>
  records.map(({ id, changes, chunk }) => ({ id, changes: Buffer.from(changes).toString('hex'), chunk }))
const encoded = log.map(encodeRecord)
const bytes = Buffer.concat(encoded)
/** Where the records end: at 0, 1, … of them. */
const ends = encoded.reduce((ends, { length }) => [...ends, ends.at(-1)! + length], [0])
const before = (at: number) => ends.findLastIndex(end => end <= at)

t.test('what is written is read', async t => {
  t.strictSame(plain(decodeRecords(bytes).records), plain(log))
  t.equal(decodeRecords(bytes).end, bytes.length)
  t.strictSame(decodeRecords(Buffer.alloc(0)), { records: [], end: 0 })
})

t.test('cut at every byte: the records before, and nothing else', async t => {
  const wrong: number[] = []
  for (let cut = 0; cut < bytes.length; cut++) {
    const { records, end } = decodeRecords(bytes.subarray(0, cut))
    const whole = before(cut)
    const isRight = end === ends[whole] && JSON.stringify(plain(records)) === JSON.stringify(plain(log.slice(0, whole)))
    if (!isRight || isCutShort(bytes.subarray(end, cut)) !== (cut > end)) wrong.push(cut)
  }
  t.strictSame(wrong, [])
})

t.test('every single bit flipped: the records before, and nothing else', async t => {
  const wrong: number[] = []
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3]! ^= 1 << (bit & 7)
    const { records, end } = decodeRecords(flipped)
    const whole = before(bit >> 3)
    if (end !== ends[whole] || JSON.stringify(plain(records)) !== JSON.stringify(plain(log.slice(0, whole)))) {
      wrong.push(bit)
    }
  }
  t.strictSame(wrong, [])
})

t.test('zeros, as of a file that got its length before its contents, are no records but a torn end', async t => {
  const { records, end } = decodeRecords(Buffer.concat([bytes, Buffer.alloc(5000)]))
  t.equal(records.length, log.length)
  t.equal(end, bytes.length)
  t.ok(isCutShort(Buffer.alloc(5000)))
})

t.test('a whole record that is wrong is no torn end', async t => {
  const wrong = Buffer.from(encoded[2]!)
  wrong[50]! ^= 1
  t.notOk(isCutShort(wrong))
  t.notOk(isCutShort(Buffer.concat([wrong, bytes])))
  t.notOk(isCutShort(Buffer.alloc(0)))
})

for (const seed of seeds(3)) {
  t.test(`whatever is read would be written so (seed ${seed})`, async t => {
    const below = random(seed)
    const wrong: string[] = []
    for (let round = 0; round < 20_000; round++) {
      // true records between noise, cut and overwritten here and there
      const parts = Array.from(
        { length: 1 + below(4) },
        () => below(3) === 0
          ? Buffer.from(Array.from({ length: below(40) }, () => below(256)))
          : encoded[below(encoded.length)]!
      )
      const noise = Buffer.concat(parts)
      for (let n = below(3); n > 0 && noise.length > 0; n--) noise[below(noise.length)] = below(256)
      const { records, end } = decodeRecords(noise)
      if (!Buffer.concat(records.map(encodeRecord)).equals(noise.subarray(0, end))) wrong.push(noise.toString('hex'))
      isCutShort(noise.subarray(end))
    }
    t.strictSame(wrong, [])
  })
}

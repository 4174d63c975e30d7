import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../../lib/automerge/format/change.ts'
import { COLUMNS } from '../../../../lib/automerge/format/columns.ts'
import { readOperations } from '../../../../lib/automerge/format/operations.ts'
import { leb } from '../../../fuzz.ts'
import { compress } from '../changes.ts'
import {
  HEAD, assemble, canonicalRuns, encodeChange, encodeParts, signedLeb, type Id, type Parts, type Row
} from '../encode.ts'
import { honestDocuments } from '../honest.ts'

const me = '11'.repeat(16)
const other = '22'.repeat(16)
const third = '33'.repeat(16)
const START = 10

const invalid = (problem: string) => ({ code: 'RELAY_DOCUMENT_INVALID', message: new RegExp(problem) })
const read = (chunk: Uint8Array) => readOperations(readChange(chunk))
const fields = (rows: Row[]) => ({ deps: [], actor: me, seq: 1, startOp: START, rows })
const change = (...rows: Row[]) => encodeChange(fields(rows))
const empty = new Uint8Array(0)
const object: Id = [other, 1]
const element: Id = [other, 2]
const set: Row = { action: 1, key: 'k', value: [3, Uint8Array.of(1)] }
const insert: Row = { action: 1, object, key: element, insert: true, value: [6, Buffer.from('x')] }

const actionNames = ['makeMap', 'set', 'makeList', 'del', 'makeText', 'inc', 'makeTable']

t.test('reads what Automerge reads, of every honest change', async t => {
  let count = 0
  for (const chunks of await honestDocuments()) {
    const doc = Automerge.load(Buffer.concat(chunks))
    for (const chunk of Automerge.getAllChanges(doc)) {
      const { actors, startOp } = readChange(chunk)
      const operations = read(chunk)
      const id = (actor: number, counter: number) =>
        actor < 0 ? (counter === 0 ? '_head' : '_root') : `${counter}@${actors[actor]}`
      let pred = 0
      const ours = Array.from({ length: operations.count }, (_, row) => ({
        obj: id(operations.objectActor[row]!, operations.objectCounter[row]!),
        elemId: operations.keyText[row]! < 0 ? id(operations.keyActor[row]!, operations.keyCounter[row]!) : undefined,
        insert: operations.insert[row] === 1,
        action: actionNames[operations.action[row]!] ?? (operations.markName[row]! < 0 ? 'markEnd' : 'markBegin'),
        pred: Array.from(
          { length: operations.predCount[row]! }, () => id(operations.predActor[pred]!, operations.predCounter[pred++]!)
        )
      }))
      const theirs = Automerge.decodeChange(chunk).ops.map(({ obj, elemId, insert = false, action, pred }: any) => ({
        obj, elemId, insert, action, pred
      }))
      if (JSON.stringify(ours) !== JSON.stringify(theirs)) t.strictSame(ours, theirs)
      if (startOp > 0) count++
      read(compress(chunk))
    }
  }
  t.ok(count > 200, `${count} changes`)
})

t.test('keys that are equal have equal hashes, others others', async t => {
  const { keyText } = read(change(
    { ...set, key: 'a' },
    { ...set, key: 'b' },
    { ...set, key: '' },
    { ...set, key: 'a' },
    { ...set, key: 'ключ'.repeat(20) }
  ))
  t.equal(keyText[0], keyText[3])
  t.equal(new Set(keyText).size, 4)
})

t.test('operations that make no sense, from all of which Automerge panics or makes what it cannot load', async t => {
  const mark: Row[] = [{ action: 7, object, key: element, insert: true, markName: 'bold', value: [2, empty] }, {
    action: 7, object, key: element, insert: true
  }]
  read(change(...mark))
  const value = (type: number, ...bytes: number[]): Row => ({ ...set, value: [type, Uint8Array.from(bytes)] })
  for (const [problem, wrong] of Object.entries({
    'an object that is not there yet': [[{ ...set, object: [me, START] }], [{ ...set, object: [other, 900] }], [{
      ...set, object: [other, 0]
    }]],
    'an element that is not there yet': [
      [{ ...insert, key: [me, START] }], [{ ...insert, key: [me, START + 1] }, insert], [{ ...insert, key: [other, 0] }]
    ],
    'a predecessor that is not there yet': [[{ ...set, preds: [[me, START]] }], [{ ...set, preds: [[other, 0]] }]],
    'predecessors are out of order': [
      [{ ...set, preds: [[other, 3], [other, 2]] }], [{ ...set, preds: [[other, 2], [other, 2]] }],
      [{ ...set, preds: [[third, 2], [other, 2]] }]
    ],
    'an element in the root': [[{ ...set, key: element }]],
    'an operation without key': [[{ ...set, object, key: HEAD }]],
    'an insertion at a key': [[{ ...insert, key: 'k' }]],
    'an insertion with predecessors': [[{ ...insert, preds: [[other, 2]] }]],
    'the key __proto__': [[{ ...set, key: '__proto__' }], [{ ...set, object, key: '__proto__' }]],
    'a mark that is none': [[{ ...set, markName: 'bold' }], [{ ...set, expand: true }]],
    'an object with a value': [[{ ...set, action: 0 }], [{ ...set, action: 2, value: [1, empty] }], [{
      ...set, action: 4
    }]],
    'a deletion of nothing': [[{ action: 3, key: 'k' }], [{ ...set, action: 3, preds: [[other, 2]] }], [{
      ...insert, action: 3, value: [0, empty]
    }]],
    'an increment of nothing': [
      [{ ...set, action: 5, value: [3, Uint8Array.of(1)] }],
      [{ ...set, action: 5, value: [6, Buffer.from('1')], preds: [[other, 2]] }],
      [{ ...insert, action: 5, value: [3, Uint8Array.of(1)] }]
    ],
    'a mark that is not inserted': [[{ action: 7, object, key: element, markName: 'bold' }]],
    'a mark that ends before it begins': [
      [mark[1]!], [mark[0]!, { ...mark[1]!, object: [other, 3] }], [mark[0]!, { ...mark[1]!, value: [1, empty] }],
      [mark[0]!, insert, mark[1]!]
    ],
    'action 6': [[{ action: 6, key: 'table' }]],
    'action 8': [[{ action: 8, key: 'k' }]],
    'a value of type': [
      value(0, 1), value(1, 1), value(2, 1), value(3), value(3, 0x80), value(3, 0x80, 0), value(3, 1, 1),
      value(3, ...leb(2 ** 53)), value(3, ...new Array(9).fill(0xff), 1),
      value(4), value(4, 0xff, 0x7f), value(4, 0x80, 0), value(4, ...signedLeb(-(2 ** 53))),
      value(8, ...signedLeb(2 ** 53)), value(9, ...signedLeb(2 ** 60)),
      value(5, 1, 2, 3), value(5), value(6, 0xc3, 0x28), value(6, ...new Array(40).fill(0xff)), value(10), value(15, 1)
    ].map(row => [row])
  } satisfies Record<string, Row[][]>)) {
    for (const rows of wrong) {
      t.throws(() => read(change(...rows)), invalid(problem), `${problem}: ${JSON.stringify(rows)}`)
    }
  }
  for (const row of [
    value(3, ...leb(2 ** 53 - 1)), value(4, ...signedLeb(-(2 ** 53) + 1)), value(9, ...signedLeb(-64)),
    value(4, 0xc0, 0), value(5, 0, 0, 0, 0, 0, 0, 0xf8, 0x7f), value(7), value(6)
  ]) {
    t.ok(read(change(row)))
  }
})

t.test('columns that Automerge writes otherwise', async t => {
  const rows: Row[] = [
    set, { ...set, object }, { ...set, object }, insert, { ...insert, key: HEAD },
    { ...set, key: 'k', preds: [[other, 3], [third, 3]] }, { action: 3, object, key: element, preds: [element] },
    { action: 7, object, key: element, insert: true, markName: 'bold', expand: true },
    { action: 7, object, key: element, insert: true }
  ]
  const parts = (): Parts => encodeParts(fields(rows))
  t.ok(read(assemble(parts())))
  const withColumn = (specification: number, bytes: number[] | undefined) => {
    const { columns, ...rest } = parts()
    const others = columns.filter(([other]) => other !== specification)
    return assemble({
      ...rest,
      columns: bytes === undefined
        ? others
        : [...others, [specification, bytes] as [number, number[]]].sort(([a], [b]) => a - b)
    })
  }
  const encodings: Record<string, (values: (number[] | undefined)[]) => number[]> = {
    'a run each': values => values.flatMap(value => value === undefined ? [0, 1] : [1, ...value]),
    'a literal each': values => values.flatMap(value => value === undefined ? [0, 1] : [0x7f, ...value]),
    'one more': values => canonicalRuns([...values, values.at(-1)]),
    'one less': values => canonicalRuns(values.slice(0, -1)),
    'no nulls at the end': values => [...canonicalRuns(values), 0, 0]
  }
  for (const [name, encode] of Object.entries(encodings)) {
    for (const [specification] of parts().columns) {
      if ([COLUMNS.insert, COLUMNS.value, COLUMNS.expand].includes(specification as never)) continue
      const { columns, ...rest } = encodeParts(
        fields(rows), column => column === specification ? encode : canonicalRuns
      )
      t.throws(
        () => read(assemble({ ...rest, columns })),
        invalid('not as Automerge writes it|rows of|without|not there'),
        `${name}: column ${specification}`
      )
    }
  }
  t.throws(() => read(withColumn(COLUMNS.insert, undefined)), invalid('no column of insert'))
  t.throws(() => read(withColumn(COLUMNS.insert, [3, 2, 2, 0, 2])), invalid('not as Automerge writes it'))
  t.throws(() => read(withColumn(COLUMNS.insert, [3, 2, 2, 2, 0])), invalid('not as Automerge writes it'))
  t.throws(() => read(withColumn(COLUMNS.insert, [3, 2, 2])), invalid('fewer rows of insert'))
  t.throws(() => read(withColumn(COLUMNS.expand, [9])), invalid('expand is not as Automerge writes it'))
  t.throws(() => read(withColumn(COLUMNS.action, undefined)), invalid('columns without operations'))
  t.throws(() => read(withColumn(COLUMNS.objectActor, undefined)), invalid('not there'))
  t.throws(() => read(withColumn(COLUMNS.valueMeta, undefined)), invalid('values without type'))
  t.throws(() => read(withColumn(COLUMNS.value, [1])), invalid('values cut short'))
  t.throws(
    () => read(withColumn(COLUMNS.value, [...parts().columns.find(([column]) => column === COLUMNS.value)![1], 1])),
    invalid('more values than operations')
  )
  t.throws(() => read(withColumn(COLUMNS.keyText, [0, 9])), invalid('not as Automerge writes it'), 'nothing at all')
  t.throws(() => read(withColumn(COLUMNS.keyCounter, [9, 1])), invalid('a key and an element'))
})

t.test('actors', async t => {
  const parts = encodeParts(fields([{ ...set, object }]))
  t.ok(read(assemble(parts)))
  t.throws(() => read(assemble({ ...parts, others: [other, third] })), invalid('actors that nothing refers to'))
  t.throws(() => read(assemble({ ...parts, others: [] })), invalid('an object of an actor that is not there'))
  t.throws(
    () => read(assemble({ ...encodeParts(fields([])), others: [other] })), invalid('actors that nothing refers to')
  )
})

t.test('many operations in few bytes', async t => {
  const many = (count: number, preds: number) => assemble({
    header: [...encodeParts(fields([])).header],
    others: [other],
    columns: [
      [COLUMNS.keyText, [...signedLeb(count), 1, 107]], [COLUMNS.insert, leb(count)],
      [COLUMNS.action, [...signedLeb(count), 3]], [COLUMNS.valueMeta, [...signedLeb(count), 0]],
      [COLUMNS.predGroup, [...signedLeb(count), ...leb(preds)]], [COLUMNS.predActor, [...signedLeb(count * preds), 1]],
      [COLUMNS.predCounter, [0x7f, 1, ...signedLeb(count * preds - 1), 0]]
    ]
  })
  t.equal(read(many(1_000_000, 1)).count, 1_000_000)
  t.throws(() => read(many(1_000_000, 1_000_000)), invalid('too many predecessors'))
})

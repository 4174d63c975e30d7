import t, { type Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../../lib/automerge/format/change.ts'
import { readDocument } from '../../../../lib/automerge/checks/document.ts'
import { readOperations } from '../../../../lib/automerge/format/operations.ts'
import { References, type Concurrent } from '../../../../lib/automerge/checks/references.ts'
import { MAX_DEPTH } from '../../../../lib/automerge/checks/resolution.ts'
import { random } from '../../../fuzz.ts'
import { encodeChange, HEAD, signedLeb, type Id, type Row } from '../encode.ts'
import { honestDocuments } from '../honest.ts'
import { randomDocument } from '../random-document.ts'

const invalid = (problem: string) => ({ code: 'RELAY_DOCUMENT_INVALID', message: new RegExp(problem) })
const a = 'aa'.repeat(16)
const b = 'bb'.repeat(16)
const x = (value: string): [number, Uint8Array] => [6, Buffer.from(value)]

function add (references: References, chunk: Uint8Array): void {
  const change = readChange(chunk)
  const operations = readOperations(change)
  references.check(change, operations)
  references.add(change, operations)
}

/** What is known of a document after its changes, and of it as saved. */
function both (doc: Automerge.Doc<unknown>): References[] {
  const made = new References()
  for (const change of Automerge.getAllChanges(doc)) add(made, change)
  return [made, new References(structuredClone(readDocument(Automerge.save(doc)).references))]
}

// the first change: a map, a list of two, a text, a counter
const START = 10
const [map, list, first, second, text, character, counter, key, deleted]: Id[] = [1, 2, 3, 4, 5, 6, 7, 8, 9].map(n => [
  a, n
])
const base = encodeChange({
  deps: [],
  actor: a,
  seq: 1,
  startOp: 1,
  rows: [
    { action: 0, key: 'map' }, { action: 2, key: 'list' },
    { action: 1, object: list!, key: HEAD, insert: true, value: x('one') },
    { action: 1, object: list!, key: first!, insert: true, value: x('two') },
    { action: 4, key: 'text' }, { action: 1, object: text!, key: HEAD, insert: true, value: x('c') },
    { action: 1, key: 'count', value: [8, Uint8Array.of(5)] }, { action: 1, object: map!, key: 'k', value: x('v') },
    { action: 3, object: list!, key: second!, preds: [second!] }
  ]
})
const check = (rows: Row[], concurrent: Concurrent[] = [], actor = b, startOp = START, seq = 1): true => {
  for (const references of both(Automerge.applyChanges(Automerge.init<unknown>(), [base])[0])) {
    const change = readChange(encodeChange({ deps: [], actor, seq, startOp, rows }))
    references.check(change, readOperations(change), concurrent)
  }
  return true
}

t.test('every honest change is taken, one upon the other and upon what is saved', async t => {
  let count = 0
  for (const chunks of await honestDocuments()) {
    const doc = Automerge.load(Buffer.concat(chunks))
    for (const references of both(doc)) {
      const edited = Automerge.change(Automerge.clone(doc, { actor: 'dd'.repeat(16) }), (d: any) => {
        for (const value of Object.values(d)) if (Array.isArray(value)) value.push({ key: ['new'] })
        d.more = { text: 'more' }
      })
      add(references, Automerge.getLastLocalChange(edited)!)
      count++
    }
  }
  t.ok(count > 60, `${count} documents`)
})

t.test('what is there', async t => {
  t.ok(check([{ action: 1, object: map!, key: 'k', value: x('w'), preds: [key!] }]))
  t.ok(check([{ action: 1, object: list!, key: second!, value: x('again'), preds: [second!] }]))
  t.ok(check([{ action: 5, key: 'count', value: [4, Uint8Array.of(1)], preds: [counter!] }]))
  t.ok(check([{ action: 1, object: list!, key: first!, value: x('1'), preds: [first!] }, {
    action: 1, object: list!, key: first!, value: x('2'), preds: [first!, [b, START]]
  }]))
  t.ok(check([
    { action: 0, object: list!, key: second!, insert: true },
    { action: 1, object: [b, START], key: 'k', value: x('v') },
    { action: 3, object: [b, START], key: 'k', preds: [[b, START + 1]] }
  ]))
})

t.test('what is not there, or not of the kind', async t => {
  const own: Id = [b, START]
  const wrong: Record<string, Row[][]> = {
    'an object that is not there': [[{ action: 1, object: key!, key: 'k', value: x('v') }], [
      { action: 1, key: 'k', value: x('v') }, { action: 1, object: own, key: 'k', value: x('v') }
    ]],
    'a key in a list': [[{ action: 1, object: list!, key: 'k', value: x('v') }], [{
      action: 1, object: text!, key: 'k', value: x('v')
    }]],
    'an element in a map': [[{ action: 1, object: map!, key: first!, insert: true, value: x('v') }]],
    'an element that is not there': [
      [{ action: 1, object: list!, key: character!, insert: true, value: x('v') }],
      [{ action: 1, object: list!, key: key!, value: x('v') }],
      [{ action: 1, object: list!, key: deleted!, insert: true, value: x('v') }],
      [{ action: 2, key: 'new' }, { action: 1, object: own, key: first!, insert: true, value: x('v') }]
    ],
    'a predecessor that is not there': [
      [{ action: 1, object: map!, key: 'other', value: x('v'), preds: [key!] }],
      [{ action: 1, key: 'k', value: x('v'), preds: [key!] }],
      [{ action: 1, object: list!, key: second!, value: x('v'), preds: [deleted!] }],
      [{ action: 1, object: list!, key: first!, value: x('v'), preds: [second!] }],
      [{ action: 3, key: 'count', preds: [text!, counter!] }],
      [{ action: 1, key: 'new', value: x('v') }, { action: 1, key: 'newer', value: x('v'), preds: [own] }],
      [{ action: 3, key: 'count', preds: [counter!] }, { action: 1, key: 'count', value: x('v'), preds: [own] }]
    ],
    'a text whose characters change': [[{
      action: 1, object: text!, key: character!, value: x('d'), preds: [character!]
    }]],
    'an increment of what is no counter': [[{
      action: 5, object: map!, key: 'k', value: [4, Uint8Array.of(1)], preds: [key!]
    }]],
    'a mark in what is no text': [[
      { action: 7, object: list!, key: first!, insert: true, markName: 'bold', value: [2, new Uint8Array(0)] },
      { action: 7, object: list!, key: first!, insert: true }
    ]]
  }
  for (const [problem, changes] of Object.entries(wrong)) {
    for (const rows of changes) t.throws(() => check(rows), invalid(problem), `${problem}: ${JSON.stringify(rows)}`)
  }
  const set: Row[] = [{ action: 1, key: 'k', value: x('v') }]
  t.throws(() => check(set, [], a, 8, 2), invalid('before its author’s last'))
})

t.test('what it does not depend on it cannot refer to', async t => {
  const rows: Row[] = [{ action: 1, object: map!, key: 'k', value: x('v'), preds: [key!] }]
  t.ok(check(rows, [{ actor: 'cc', startOp: 1 }]))
  t.ok(check(rows, [{ actor: a, startOp: 9 }]))
  t.throws(() => check(rows, [{ actor: a, startOp: 8 }]), invalid('a predecessor that is not there'))
  t.throws(() => check(rows, [{ actor: a, startOp: 1 }]), invalid('an object that is not there'))
  const inserted = [{ action: 1, object: list!, key: first!, insert: true, value: x('v') }]
  t.throws(() => check(inserted, [{ actor: a, startOp: 9 }, { actor: a, startOp: 3 }]), invalid(
    'an element that is not there'
  ))
  t.throws(() => check([{ action: 1, key: 'k', value: x('v') }], [{ actor: a, startOp: 1 }], a, 20, 2), invalid(
    'does not depend on its author’s last'
  ))
})

t.test('objects in one another', async t => {
  const nested = (depth: number): Row[] => Array.from({ length: depth }, (_, n) => ({
    action: 0, key: 'k', ...n === 0 ? {} : { object: [b, START + n - 1] as Id }
  }))
  t.ok(check(nested(MAX_DEPTH)))
  t.throws(() => check(nested(MAX_DEPTH + 1)), invalid(`more than ${MAX_DEPTH} objects`))
})

t.test('counters stay within what JavaScript counts', async t => {
  const count = (value: number): Row =>
    ({ action: 5, key: 'count', value: [4, Uint8Array.from(signedLeb(value))], preds: [counter!] })
  const rest = Number.MAX_SAFE_INTEGER - 6
  t.ok(check([count(rest)]))
  t.ok(check([count(-rest)]))
  t.throws(() => check([count(rest), count(1)]), invalid('counters'))
  t.throws(() => check([count(rest + 1)]), invalid('counters'))
  t.throws(
    () => check([{ action: 1, key: 'new', value: [8, Uint8Array.from(signedLeb(rest))] }, count(-1)]),
    invalid('counters')
  )
})

/** Marks between every two characters: only those that end after they begin are taken. */
function marks (t: Test, doc: Automerge.Doc<{ text: string }>): void {
  const places = Array.from(doc.text, (_, n) => Automerge.getCursor(doc, ['text'], n))
    .map(cursor => cursor.match(/(\d+)@([0-9a-f]+)/)!)
    .map(([, counter, actor]): Id => [actor!, Number(counter)])
  const [object] = [Automerge.getObjectId(doc, 'text')!].map(id => id.split('@'))
    .map(([counter, actor]): Id => [actor!, Number(counter)])
  const startOp = Math.max(...Automerge.getChangesMetaSince(doc, []).map(({ maxOp }) => maxOp)) + 1
  let wrong = 0
  for (const references of both(doc)) {
    for (const [from, begin] of places.entries()) {
      for (const [to, end] of places.entries()) {
        const rows: Row[] = [
          { action: 7, object: object!, key: begin, insert: true, markName: 'bold', value: [2, new Uint8Array(0)] },
          { action: 7, object: object!, key: end, insert: true }
        ]
        const change = readChange(encodeChange({ deps: [], actor: b, seq: 1, startOp, rows }))
        let isTaken = true
        try {
          references.check(change, readOperations(change))
        } catch (error) {
          isTaken = false
        }
        if (isTaken !== (from < to)) wrong++
      }
    }
  }
  t.equal(wrong, 0)
}

t.test('marks end after they begin', async t => {
  const below = random(9)
  for (let round = 0; round < 12; round++) {
    let docs = [Automerge.from({ text: 'start' }, { actor: '01'.repeat(16) })]
    for (let n = 2; n < 5; n++) docs.push(Automerge.clone(docs[0]!, { actor: `0${n}`.repeat(16) }))
    for (let n = 0; n < 12; n++) {
      docs = docs.map(doc => Automerge.change(doc, d => {
        const at = below(d.text.length + 1)
        Automerge.splice(d, ['text'], at, Math.min(below(3), d.text.length - at), 'typed'.slice(0, 1 + below(5)))
      }))
      const [from, to] = [below(3), below(3)]
      if (from !== to) docs[to] = Automerge.merge(docs[to]!, docs[from]!)
    }
    marks(t, docs.reduce((one, other) => Automerge.merge(one, other)))
  }
})

t.test('marks in what the same change inserts', async t => {
  const own = (n: number): Id => [b, START + n]
  const letters = (after: (n: number) => Id | 'HEAD', count: number): Row[] =>
    Array.from({ length: count }, (_, n) => ({ action: 1, object: text!, key: after(n), insert: true, value: x('x') }))
  const mark = (begin: Id, end: Id): Row[] => [
    { action: 7, object: text!, key: begin, insert: true, markName: 'bold', value: [2, new Uint8Array(0)] },
    { action: 7, object: text!, key: end, insert: true }
  ]
  const typed = (n: number): Id => n === 0 ? character! : own(n - 1)
  t.ok(check([...letters(typed, 100), ...mark(own(3), own(90)), ...mark(character!, own(99))]))
  t.throws(
    () => check([...letters(typed, 100), ...mark(own(90), own(3))]), invalid('a mark that ends before it begins')
  )
  t.throws(
    () => check([...letters(typed, 100), ...mark(own(3), character!)]), invalid('a mark that ends before it begins')
  )
  t.ok(check([...letters(() => HEAD, 100), ...mark(own(90), own(3)), ...mark(own(3), character!)]), 'the latest first')
  t.throws(
    () => check([...letters(() => HEAD, 100), ...mark(own(3), own(90))]), invalid('a mark that ends before it begins')
  )
  const farMarks = Array.from({ length: 1_000 }, () => mark(own(1), own(2_999))).flat()
  t.throws(() => check([...letters(n => n < 2 ? HEAD : own(n - 2), 3_000), ...farMarks]), invalid(
    'marks that reach too far'
  ))
})

t.test('a large text takes little, a small document next to nothing', async t => {
  const size = ({ references: { actors, objects } }: ReturnType<typeof readDocument>): number =>
    [...actors.values()].reduce(
      (sum, { runs, keys, made }) => sum + runs.byteLength + keys.byteLength + made.byteLength, objects.byteLength
    )
  const below = random(1)
  let doc = Automerge.from({ text: '' })
  doc = Automerge.change(doc, d => {
    for (let n = 0, length = 0; n < 5_000; n++) {
      const at = below(length + 1)
      const cut = Math.min(below(30), length - at)
      Automerge.splice(d, ['text'], at, cut, 'x'.repeat(40))
      length += 40 - cut
    }
  })
  const large = readDocument(Automerge.save(doc))
  t.ok(large.opCount === 200_001)
  t.ok(size(large) < 200_000, `${size(large)} bytes`)
  t.ok(size(readDocument(Automerge.save(Automerge.from({ title: 'a', done: false, count: 1, list: [1, 2, 3] })))) < 200)
  t.ok(size(readDocument(Automerge.save(randomDocument(random(2))))) < 5_000)
})

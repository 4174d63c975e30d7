import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { Editor } from '../../../../lib/documents/json/editor.ts'
import { diffJson } from '../../../../lib/documents/json/json-diff.ts'
import { applyJsonPatch } from '../../../../lib/documents/json/json-patch.ts'
import { parseJson, viewOf, type Json, type JsonObject } from '../../../../lib/documents/json/json.ts'
import { random, seeds } from '../../storage/disk.ts'

type Fields = Record<string, unknown>
type Doc = Automerge.Doc<Fields>

const edited = (doc: Doc, edit: (editor: Editor) => void): Doc => Automerge.change(doc, root => {
  edit(new Editor(root))
})
const merged = (doc: Doc, patch: JsonObject): Doc => edited(doc, editor => { editor.merge([], patch) })
const patched = (doc: Doc, patch: Json): Doc => edited(doc, editor => { applyJsonPatch(editor, patch) })
const from = (fields: Fields): Doc => Automerge.from<Fields>(fields)
/** As it is shown to those who ask: loaded, so that keys are in order. */
const text = (doc: Doc): string => JSON.stringify(viewOf(Automerge.load(Automerge.save(doc))))
const scalars = () => ({
  text: 'abc',
  counter: new Automerge.Counter(3),
  date: new Date(0),
  bytes: new Uint8Array([1, 2]),
  string: new Automerge.ImmutableString('x')
})

t.test('each type as JSON', t => {
  const doc = from({
    ...scalars(),
    int: 2 ** 53 - 1,
    huge: 9007199254740993n,
    float: 1.5,
    nothing: null,
    yes: true,
    list: [1, [], {}],
    late: new Date(NaN),
    endless: Infinity
  })
  t.strictSame(viewOf(Automerge.load(Automerge.save(doc))), {
    text: 'abc',
    counter: 3,
    date: '1970-01-01T00:00:00.000Z',
    bytes: 'AQI=',
    string: 'x',
    int: 2 ** 53 - 1,
    huge: '9007199254740993',
    float: 1.5,
    nothing: null,
    yes: true,
    list: [1, [], {}],
    late: viewOf(doc['late']),
    endless: null
  })
  t.end()
})

t.test('what shows so already is left, whatever its type', t => {
  const doc = from({ ...scalars(), huge: 9007199254740993n, list: [1, { a: 'b' }] })
  const view = viewOf(doc) as JsonObject
  for (const same of [merged(doc, view), edited(doc, editor => {
    editor.set([], view)
  }), patched(doc, [{ op: 'replace', path: '', value: view }])]) {
    t.strictSame(Automerge.getHeads(same), Automerge.getHeads(doc))
  }
  t.end()
})

t.test('types are kept where the value is fit for them', t => {
  const doc = merged(from(scalars()), {
    text: 'abcd', counter: 10, date: '2026-01-02T03:04:05+01:00', bytes: '/w==', string: 'y'
  })
  t.match(doc, { counter: Automerge.Counter, date: Date, bytes: Uint8Array, string: Automerge.ImmutableString })
  t.strictSame(viewOf(doc), { text: 'abcd', counter: 10, date: '2026-01-02T02:04:05.000Z', bytes: '/w==', string: 'y' })
  const other = merged(doc, { counter: 'no', date: 'tomorrow', bytes: '?', text: 1e20 })
  t.strictSame(viewOf(other), { text: 1e20, counter: 'no', date: 'tomorrow', bytes: '?', string: 'y' })
  t.end()
})

t.test('edits merge with what others do at the same time', t => {
  const base = from({
    text: 'The fox jumps', counter: new Automerge.Counter(1), list: [{ n: 1 }, { n: 2 }], map: { a: 1 }
  })
  const theirs = Automerge.change(Automerge.clone(base), doc => {
    Automerge.splice(doc, ['text'], 3, 0, ' red')
    ;(doc['counter'] as Automerge.Counter).increment(5)
    ;(doc['list'] as Array<Fields>)[1]!['theirs'] = true
    ;(doc['map'] as Fields)['b'] = 2
  })
  const ours = merged(base, {
    text: 'The fox jumps high', counter: 11, list: [{ n: 0 }, { n: 1 }, { n: 2 }], map: { a: 3 }
  })
  t.strictSame(viewOf(Automerge.merge(ours, theirs)), {
    text: 'The red fox jumps high', counter: 16, list: [{ n: 0 }, { n: 1 }, { n: 2, theirs: true }], map: { a: 3, b: 2 }
  })
  t.end()
})

t.test('the examples of RFC 7396', t => {
  for (const [target, patch, result] of [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }], [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }], [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }], [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }], [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }], [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }]
  ] as Array<[JsonObject, JsonObject, Json]>) {
    t.strictSame(viewOf(merged(from(target), patch)), result, JSON.stringify(patch))
  }
  t.end()
})

t.test('the examples of RFC 6902', t => {
  for (const [target, patch, result] of [
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux' }], { baz: 'qux', foo: 'bar' }],
    [{ foo: ['bar', 'baz'] }, [{ op: 'add', path: '/foo/1', value: 'qux' }], { foo: ['bar', 'qux', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'remove', path: '/baz' }], { foo: 'bar' }],
    [{ foo: ['bar', 'qux', 'baz'] }, [{ op: 'remove', path: '/foo/1' }], { foo: ['bar', 'baz'] }],
    [{ baz: 'qux', foo: 'bar' }, [{ op: 'replace', path: '/baz', value: 'boo' }], { baz: 'boo', foo: 'bar' }],
    [
      { foo: { bar: 'baz', waldo: 'fred' }, qux: { corge: 'grault' } },
      [{ op: 'move', from: '/foo/waldo', path: '/qux/thud' }],
      { foo: { bar: 'baz' }, qux: { corge: 'grault', thud: 'fred' } }
    ],
    [{ foo: ['all', 'grass', 'cows', 'eat'] }, [{ op: 'move', from: '/foo/1', path: '/foo/3' }], {
      foo: ['all', 'cows', 'eat', 'grass']
    }],
    [
      { baz: 'qux', foo: ['a', 2, 'c'] },
      [{ op: 'test', path: '/baz', value: 'qux' }, { op: 'test', path: '/foo/1', value: 2 }],
      { baz: 'qux', foo: ['a', 2, 'c'] }
    ],
    [{ baz: 'qux' }, [{ op: 'test', path: '/baz', value: 'bar' }], 'RELAY_PATCH_CONFLICT'],
    [{ foo: 'bar' }, [{ op: 'add', path: '/child', value: { grandchild: {} } }], {
      foo: 'bar', child: { grandchild: {} }
    }],
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz', value: 'qux', xyz: 123 }], { foo: 'bar', baz: 'qux' }],
    [{ foo: 'bar' }, [{ op: 'add', path: '/baz/bat', value: 'qux' }], 'RELAY_PATCH_CONFLICT'],
    [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: 10 }], { '/': 9, '~1': 10 }],
    [{ '/': 9, '~1': 10 }, [{ op: 'test', path: '/~01', value: '10' }], 'RELAY_PATCH_CONFLICT'],
    [{ foo: ['bar'] }, [{ op: 'add', path: '/foo/-', value: ['abc', 'def'] }], { foo: ['bar', ['abc', 'def']] }],
    [{ foo: null }, [{ op: 'add', path: '/foo', value: 1 }, { op: 'copy', from: '/foo', path: '/bar' }], {
      foo: 1, bar: 1
    }],
    [{ foo: 1 }, [{ op: 'add', path: '', value: { bar: 1 } }, { op: 'move', from: '/bar', path: '/bar' }], { bar: 1 }]
  ] as Array<[JsonObject, Json, Json]>) {
    const apply = () => viewOf(patched(from(target), patch))
    if (typeof result === 'string') t.throws(apply, { code: result }, JSON.stringify(patch))
    else t.strictSame(apply(), result, JSON.stringify(patch))
  }
  t.end()
})

t.test('a patch that does not fit, or is none, changes nothing', t => {
  const doc = from({ text: 'abc', list: [1, 2], map: { a: 1 } })
  const good = { op: 'add', path: '/good', value: 1 }
  for (const [code, ...operations] of [
    ['RELAY_PATCH_CONFLICT', { op: 'remove', path: '/absent' }, { op: 'remove', path: '/list/2' }, {
      op: 'add', path: '/list/3', value: 1
    }, {
      op: 'add', path: '/list/01', value: 1
    },
    { op: 'add', path: '/list/a', value: 1 }, { op: 'replace', path: '/list/-', value: 1 },
    { op: 'add', path: '/text/0', value: 'x' }, { op: 'test', path: '/map', value: { a: 1, b: 2 } },
    { op: 'copy', from: '/absent', path: '/x' }, { op: 'remove', path: '/constructor' },
    { op: 'test', path: '/list/length', value: 2 }, { op: 'test', path: '/absent', value: null }],
    ['RELAY_PATCH_INVALID', { op: 'add', path: '/x' }, { op: 'jump', path: '/x' }, { path: '/x', value: 1 }, {
      op: 'add', path: 'x', value: 1
    }, {
      op: 'add', path: '/~2', value: 1
    }, {
      op: 'add', value: 1
    },
    { op: 'move', path: '/x' }, { op: 'move', from: '/map', path: '/map/a' }, { op: 'remove', path: '' },
    { op: 'replace', path: '', value: [] }, { op: 'copy', from: '/list', path: '' },
    { op: 'add', path: '/__proto__', value: 1 }, { op: 'test', path: '/__proto__/x', value: 1 }, 'add', null]
  ] as Array<[string, ...Json[]]>) {
    for (const operation of operations) {
      t.throws(() => patched(doc, [good, operation]), { code }, JSON.stringify(operation))
    }
  }
  for (const patch of [{}, null, 'x']) t.throws(() => patched(doc, patch), { code: 'RELAY_PATCH_INVALID' })
  t.strictSame(viewOf(doc), { text: 'abc', list: [1, 2], map: { a: 1 } })
  t.end()
})

t.test('JSON that is none, or that no document holds', t => {
  const parse = (text: string | Uint8Array) => parseJson(Buffer.from(text))
  for (const text of ['', '{', '{"a":1}}', Buffer.from([0x22, 0xff, 0x22])]) {
    t.throws(() => parse(text), { code: 'RELAY_BAD_REQUEST' }, String(text))
  }
  for (const text of [
    '{"__proto__":1}', '[{"a":{"__proto__":{}}}]', '['.repeat(502) + ']'.repeat(502),
    '['.repeat(200_000) + ']'.repeat(200_000)
  ]) {
    t.throws(() => parse(text), { code: 'RELAY_PATCH_INVALID' }, text.slice(0, 40))
  }
  t.equal(JSON.stringify(parse('['.repeat(500) + ']'.repeat(500))).length, 1_000)
  t.end()
})

t.test('whole numbers beyond 2^53 - 1 are floating', t => {
  const json = { a: 1e300, b: [1e20, [-1e20, 2 ** 53]], c: { d: 1e20 }, e: 2 ** 53 - 1 }
  const doc = patched(merged(from({}), json), [
    { op: 'add', path: '/b/0', value: [1e21] }, { op: 'copy', from: '/b', path: '/f' },
    { op: 'replace', path: '/e', value: -1e21 }
  ])
  t.strictSame(viewOf(Automerge.load(Automerge.save(doc))), {
    a: 1e300, b: [[1e21], 1e20, [-1e20, 2 ** 53]], c: { d: 1e20 }, e: -1e21, f: [[1e21], 1e20, [-1e20, 2 ** 53]]
  })
  t.strictSame(Automerge.getHeads(merged(doc, viewOf(doc) as JsonObject)), Automerge.getHeads(doc))
  t.end()
})

t.test('text is spliced wherever it is, and no other than what is meant', t => {
  const doc = from({ a: { b: 'one' }, 'a/b': 'two', '': 'three', 'c/d': { e: ['four'] } })
  const theirs = Automerge.change(Automerge.clone(doc), root => { Automerge.splice(root, ['a', 'b'], 0, 0, 'not ') })
  const ours = merged(doc, { 'a/b': 'two!', '': 'three!', a: { b: 'one!' } })
  t.equal(text(Automerge.merge(ours, theirs)), text(from({
    a: { b: 'not one!' }, 'a/b': 'two!', '': 'three!', 'c/d': { e: ['four'] }
  })))
  const spliced = patched(from({ 'c/d': { e: ['four'] } }), [{ op: 'replace', path: '/c~1d/e/0', value: 'four!' }, {
    op: 'test', path: '/c~1d/e/0', value: 'four!'
  }])
  t.strictSame(viewOf(spliced), { 'c/d': { e: ['four!'] } })
  t.end()
})

t.test('many elements at once', t => {
  const list = Array.from({ length: 150_000 }, (_, n) => n)
  t.strictSame(viewOf(merged(from({ list: [] }), { list })), { list })
  t.end()
})

for (const seed of seeds(5)) {
  t.test(`whatever it is, it becomes what is asked for, ${seed}`, t => {
    const pick = random(seed)
    const value = (depth: number): Json => {
      const kind = pick(depth > 3 ? 4 : 6)
      if (kind === 0) return pick(1_000) - 500
      if (kind === 1) return pick(2) === 0
      if (kind === 2) return null
      if (kind === 3) return 'abcd'.slice(pick(4)) + 'é\u{1F600}/~'.slice(pick(4))
      if (kind === 4) return Array.from({ length: pick(5) }, () => value(depth + 1))
      return object(depth)
    }
    const object = (depth: number): JsonObject => Object.fromEntries(Array.from({ length: pick(5) }, () => [
      ['a', 'b/c', '~d', '', 'constructor'][pick(5)]!, value(depth + 1)
    ]))
    for (let n = 0; n < 60; n++) {
      const [before, after] = [object(0), object(0)]
      const doc = from(before)
      const wanted = text(from(after))
      t.equal(text(edited(Automerge.clone(doc), editor => { editor.set([], after) })), wanted)
      const patch = diffJson(viewOf(doc), viewOf(from(after)))
      t.equal(text(patched(doc, JSON.parse(JSON.stringify(patch)))), wanted)
    }
    t.end()
  })
}

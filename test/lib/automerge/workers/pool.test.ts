import t, { type Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../../lib/automerge/format/change.ts'
import { readOperations } from '../../../../lib/automerge/format/operations.ts'
import { AutomergePool } from '../../../../lib/automerge/workers/pool.ts'
import { History } from '../../../../lib/sync/document/history.ts'

const rootId = '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ'
const thirdId = '48mDXeMDtafnZ4YrhQccrkhDbrKB'
const otherId = '2XehcERzGALTcjP7C7VxwFJdWoEW'

const build = (t: Test) => {
  const pool = new AutomergePool({ idleTimeout: 100 })
  t.teardown(() => pool.close())
  return pool
}

t.test('inspect tells heads and references, and ignores what is not an id', async t => {
  const pool = build(t)
  const document = Automerge.from<Record<string, unknown>>({
    path_index: JSON.stringify({ paths: { '/a': { doc_id: rootId }, '/b': { doc_id: '../../etc' }, '/c': null } }),
    children: [{ pointer: otherId }, { pointer: rootId }, { name: 'no pointer' }],
    entries: { '/d': { doc_id: thirdId }, '/e': 7, '/f': {} }
  })
  const { heads, references } = await pool.inspect([Automerge.save(document)])
  t.strictSame(heads, Automerge.getHeads(document))
  t.strictSame(references.sort(), [otherId, rootId, thirdId].sort())
})

t.test('a path index that is not JSON refers to nothing', async t => {
  const saved = Automerge.save(Automerge.from({ path_index: '{' }))
  t.strictSame((await build(t).inspect([saved])).references, [])
})

t.test('compact makes one document of snapshot and changes in any order', async t => {
  const pool = build(t)
  const first = Automerge.from<Record<string, number>>({ a: 1 })
  const second = Automerge.change(Automerge.clone(first), d => { d.b = 2 })
  const since = Automerge.saveSince(second, Automerge.getHeads(first))
  const saved = await pool.compact([since, Automerge.save(first)])
  t.strictSame(Automerge.toJS(Automerge.load(saved)), { a: 1, b: 2 })
})

t.test('adds tells whether anything is new', async t => {
  const pool = build(t)
  const first = Automerge.from<Record<string, number>>({ a: 1 })
  const old = Automerge.save(first)
  const newer = Automerge.save(Automerge.change(first, d => { d.b = 2 }))
  t.equal(await pool.adds([old], [newer]), true)
  t.equal(await pool.adds([newer], [old]), false)
  const since = Automerge.saveSince(Automerge.load(newer), Automerge.getHeads(Automerge.load(old)))
  t.equal(await pool.adds([old], [since]), true, 'changes alone')
  t.equal(await pool.adds([newer], [since]), false)
  await t.rejects(pool.adds([Automerge.save(Automerge.from({ other: 1 }))], [since]), { code: 'RELAY_DOCUMENT_INVALID', message: /missing/ })
})

t.test('what Automerge cannot load is refused, and the pool goes on', async t => {
  const pool = build(t)
  const good = Automerge.save(Automerge.from({ text: 'x'.repeat(500) }))
  const flipped = good.slice()
  flipped[20]! ^= 0xff
  const trailing = Buffer.concat([good, Buffer.from('garbage')])
  for (const bad of [Buffer.from('hello'), good.subarray(0, good.length - 5), flipped, trailing]) {
    await t.rejects(pool.inspect([bad]), { code: 'RELAY_DOCUMENT_INVALID' })
    await t.rejects(pool.adds([good], [bad]), { code: 'RELAY_DOCUMENT_INVALID' })
  }
  t.equal((await pool.inspect([good])).heads.length, 1)
})

t.test('what a thread has read of a document, changes are checked against here', async t => {
  const document = Automerge.from<Record<string, unknown>>({ key: 'first', list: [{ inner: 1 }] })
  const history = new History(await build(t).read(Automerge.save(document)))
  const next = Automerge.change(document, doc => {
    doc['key'] = 'another'
    doc['list'] = []
  })
  const change = readChange(Automerge.getLastLocalChange(next)!)
  t.equal(history.place(change), 'new')
  history.check(change, readOperations(change))
})

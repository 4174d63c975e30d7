import t, { type Test } from 'tap'
import { ThreadPool } from '../../../../lib/threads/thread-pool.ts'
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
  await t.rejects(pool.adds([Automerge.save(Automerge.from({ other: 1 }))], [since]), {
    code: 'RELAY_DOCUMENT_INVALID', message: /missing/
  })
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

t.test('what takes too long is broken off, and is no fault of the document', async t => {
  const pool = new AutomergePool({ timeout: 1 }) // in which no thread starts
  t.teardown(() => pool.close())
  const saved = Automerge.save(Automerge.from({ a: 1 }))
  const results = await Promise.allSettled([pool.inspect([saved]), pool.compact([saved])])
  for (const result of results) t.match(result, { status: 'rejected', reason: { code: 'RELAY_DOCUMENT_BUSY' } })
})

t.test('that there can be no thread is no fault of the document', async t => {
  const pool = build(t)
  const saved = Automerge.save(Automerge.from({ a: 1 }))
  const intercepted = t.intercept(ThreadPool.prototype, 'run', {
    value: async () => {
      throw Object.assign(new Error('spawn EMFILE'), { code: 'EMFILE' })
    }
  })
  await t.rejects(pool.heads([saved]), { code: 'RELAY_STORAGE_FAILED', message: /EMFILE/ })
  intercepted.restore()
  t.match(await pool.heads([saved]), { missing: 0 })
})

t.test('whoever breaks a job off lets the next one go on', async t => {
  const pool = build(t)
  const saved = Automerge.save(Automerge.from({ a: 1 }))
  const stop = new AbortController()
  const broken = pool.compact([saved], stop.signal)
  const next = pool.compact([saved])
  stop.abort()
  await t.rejects(broken, { code: 'RELAY_STORAGE_FAILED' })
  t.strictSame(Automerge.toJS(Automerge.load(await next)), { a: 1 })
})

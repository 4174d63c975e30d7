import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo'
import type { DocumentId } from '../../../lib/ids.ts'
import { client, idOf, serve, until } from './server.ts'

interface Doc { [key: string]: number }
const newId = () => parseAutomergeUrl(generateAutomergeUrl()).documentId as string as DocumentId
const DELETED = { code: 'RELAY_DOCUMENT_DELETED' }

t.test('deleted: its peers are told, and a client that has all of it does not bring it back, not even after a ' +
  'restart', async t => {
  const first = await serve(t)
  const { engine, url, seen, folder, port } = first
  const [a, b] = [client(t, url), client(t, url)]
  const told = [0, 0] // how often each was told that there is no such document; b may be once more, as an answer
  for (const [n, { adapter }] of [a, b].entries()) {
    adapter.on('message', message => {
      if (message.type !== 'doc-unavailable') return
      t.equal((message as { documentId?: unknown }).documentId, handle.documentId)
      told[n]!++
    })
  }
  const handle = a.repo.create<Doc>({ a: 1 })
  await until(() => seen.latencies.length > 0)
  const other = a.repo.create<Doc>({ other: 1 })
  await until(() => seen.latencies.length > 1)
  await b.repo.find<Doc>(handle.url)
  const id = idOf(handle)
  const changed: string[] = []
  engine.onChange(id => { changed.push(id) })
  await engine.remove(id)
  await until(() => told.every(count => count > 0))
  t.strictSame(changed, [id])

  handle.change(d => { d['a'] = 2 })
  await until(() => told[0] === 2)
  for (const method of ['heads', 'snapshot', 'remove'] as const) {
    await t.rejects(async () => { await engine[method](id) }, DELETED)
  }
  await t.rejects(engine.merge(id, [Automerge.save(handle.doc())]), DELETED)
  await t.rejects(engine.apply(id, []), DELETED)
  other.change(d => { d['other'] = 2 })
  await until(() => seen.latencies.length > 2)
  t.strictSame(seen.refused, [], 'nobody was disconnected')
  await first.close()

  const second = await serve(t, { folder, port })
  await until(() => told[0]! >= 3) // a comes back with all of it
  handle.change(d => { d['a'] = 3 })
  await until(() => told[0]! >= 4)
  await t.rejects(second.engine.heads(id), DELETED)
  t.strictSame(await second.documents.has(id), false)
  await t.rejects(client(t, second.url).repo.find(handle.url), /unavailable/)
  t.strictSame(second.seen.refused, [])
})

t.test('what comes while it is deleted is not stored', async t => {
  const { engine, documents } = await serve(t)
  const id = newId()
  await engine.merge(id, [Automerge.save(Automerge.from({ a: 1 }))])
  const doc = Automerge.load<Doc>((await engine.snapshot(id))!)
  const change = Automerge.getLastLocalChange(Automerge.change(doc, d => { d['a'] = 2 }))!
  const removed = engine.remove(id)
  await t.rejects(engine.apply(id, [change]), DELETED)
  await t.rejects(engine.merge(id, [change]), DELETED)
  await removed
  t.equal(await documents.has(id), false)
})

t.test('what is not there cannot be deleted, and may come later', async t => {
  const { engine } = await serve(t)
  const id = newId()
  await t.rejects(engine.remove(id), { code: 'RELAY_DOCUMENT_NOT_FOUND' })
  t.strictSame(await engine.heads(id), [])
  await engine.merge(id, [Automerge.save(Automerge.from({ a: 1 }))])
  t.equal((await engine.heads(id)).length, 1)
})

t.test('changes made on what is stored: taken, passed on, and not when the heads are others by then', async t => {
  const { engine, url } = await serve(t)
  const { repo } = client(t, url)
  const id = newId()
  await engine.merge(id, [Automerge.save(Automerge.from<Doc>({ a: 1 }))])
  const handle = await repo.find<Doc>(`automerge:${id}` as never)
  const stored = Automerge.load<Doc>((await engine.snapshot(id))!)
  const [ours, theirs] = [1, 2].map(
    value => Automerge.getLastLocalChange(Automerge.change(Automerge.clone(stored), d => { d[`b${value}`] = value }))!
  )
  const before = await engine.heads(id)
  await engine.apply(id, [ours!], before)
  await until(() => handle.doc()['b1'] === 1)
  await t.rejects(engine.apply(id, [theirs!], before), { code: 'RELAY_PRECONDITION_FAILED' })
  t.equal((await engine.heads(id)).length, 1)
  await engine.apply(id, [theirs!])
  await until(() => handle.doc()['b2'] === 2)
  t.equal((await engine.heads(id)).length, 2)
})

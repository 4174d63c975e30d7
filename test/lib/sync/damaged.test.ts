import t, { type Test } from 'tap'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import type { AutomergeUrl, DocHandle } from '@automerge/automerge-repo'
import type { DocumentId } from '../../../lib/ids.ts'
import { scratch } from '../../scratch.ts'
import { Original, noise, place } from '../storage/stored.ts'
import { client, serve, until } from './server.ts'

type Doc = Record<string, unknown>
const urlOf = (id: DocumentId): AutomergeUrl => `automerge:${id}` as AutomergeUrl

/** A peer that goes on with another document, and whose connection must last. */
async function bystander (t: Test, url: string) {
  const peer = client(t, url)
  let cuts = 0
  peer.adapter.on('peer-disconnected', () => { cuts++ })
  await peer.whenConnected()
  const other = client(t, url)
  const mine = peer.repo.create<Doc>({ n: 0 })
  const theirs = await (async (): Promise<DocHandle<Doc>> => {
    for (;;) {
      const found = await other.repo.find<Doc>(mine.url).catch(() => undefined)
      if (found !== undefined) return found
    }
  })()
  let n = 0
  return {
    ...peer,
    /** Sees that both go on with it. */
    async goesOn (): Promise<void> {
      n++
      theirs.change(doc => { doc['n'] = n })
      await until(() => mine.doc()['n'] === n)
      t.equal(cuts, 0)
    }
  }
}

t.test('what is whole beside damaged files is served', async t => {
  const torn: Record<string, (original: Original) => ['snapshot' | 'incremental', Uint8Array]> = {
    'an empty incremental': () => ['incremental', new Uint8Array()],
    'an incremental cut off': original => ['incremental', original.change({ lost: 1 }).subarray(0, 40)],
    'an incremental of zeros': () => ['incremental', new Uint8Array(100)],
    'one cut off after a whole one': original =>
      ['incremental', Buffer.concat([original.change({ more: 1 }), original.change({ lost: 1 }).subarray(0, 40)])],
    'an incremental with another byte': original =>
      ['incremental', original.change({ lost: 1 }).map((byte, n) => n === 60 ? byte ^ 1 : byte)],
    'a snapshot cut off': original => ['snapshot', original.saved.subarray(0, -20)],
    'a snapshot with another byte': original =>
      ['snapshot', original.saved.map((byte, n) => n === 60 ? byte ^ 1 : byte)]
  }
  const folder = await scratch(t)
  const originals = Object.entries(torn).map(([name, tear]) => {
    const original = new Original()
    original.change({ text: 'some text that takes a few bytes', noise: noise(50) })
    place(folder, original.id, 'snapshot', 'sound', original.saved)
    place(folder, original.id, 'incremental', 'sound', original.change({ name }))
    place(folder, original.id, ...((): ['snapshot' | 'incremental', string, Uint8Array] => {
      const [kind, bytes] = tear(original)
      return [kind, 'torn', bytes]
    })())
    return { name, id: original.id }
  })
  const { url, documents, seen, engine } = await serve(t, { folder })
  const { repo, goesOn } = await bystander(t, url)
  for (const { name, id } of originals) {
    const handle = await repo.find<Doc>(urlOf(id))
    t.equal(handle.doc()['name'], name)
    t.equal(handle.doc()['more'], name === 'one cut off after a whole one' ? 1 : undefined)
    t.match(documents.damage.of(id), /\/torn: /, name)
    t.ok(Automerge.load<Doc>((await engine.snapshot(id))!)['name'] === name, name)
    const reader = await client(t, url).repo.find<Doc>(urlOf(id))
    handle.change(doc => { doc['edited'] = true })
    await until(() => reader.doc()['edited'] === true)
  }
  t.equal(documents.damage.count, originals.length)
  await goesOn()
  t.strictSame(seen.refused, [])
})

t.test('changes that depend on what is lost are kept, and served when a peer brings that', async t => {
  const folder = await scratch(t)
  const original = new Original()
  place(folder, original.id, 'snapshot', 'sound', original.saved)
  const lost = original.change({ lost: 'brought' })
  place(folder, original.id, 'incremental', 'torn', lost.subarray(0, 50))
  const holder = Automerge.clone(original.doc)
  place(folder, original.id, 'incremental', 'after', original.change({ after: 'kept' }))
  const { url, documents, seen } = await serve(t, { folder })
  const { repo, goesOn } = await bystander(t, url)
  const reader = await repo.find<Doc>(urlOf(original.id))
  t.strictSame(reader.doc(), { n: 0 })
  t.match(documents.damage.of(original.id), /torn: .*cut short; 1 changes are missing/)
  const other = client(t, url)
  other.repo.import<Doc>(Automerge.save(holder), { docId: original.id as never })
  await until(() => reader.doc()['after'] === 'kept')
  t.strictSame(reader.doc(), { n: 0, lost: 'brought', after: 'kept' })
  await goesOn()
  t.strictSame(seen.refused, [])
  await until(() => documents.failure === undefined)
})

t.test('of what cannot be read at all its peers are told that it is not available, until one brings it', async t => {
  for (const isAlone of [true, false]) {
    const folder = await scratch(t)
    const original = new Original()
    place(folder, original.id, 'snapshot', 'torn', original.saved.subarray(0, -10))
    if (!isAlone) place(folder, original.id, 'incremental', 'after', original.change({ after: 'kept' }))
    const { url, documents, seen, engine } = await serve(t, { folder })
    const { repo, goesOn } = await bystander(t, url)
    await t.rejects(repo.find<Doc>(urlOf(original.id)), /unavailable/)
    await t.rejects(engine.heads(original.id), { code: 'RELAY_DOCUMENT_DAMAGED' })
    await t.rejects(engine.snapshot(original.id), { code: 'RELAY_DOCUMENT_DAMAGED' })
    t.ok(documents.damage.of(original.id))
    await goesOn()
    const other = client(t, url)
    other.repo.import<Doc>(original.saved, { docId: original.id as never })
    await until(async () => (await engine.heads(original.id).catch(() => [])).length > 0)
    const reader = await client(t, url).repo.find<Doc>(urlOf(original.id))
    t.strictSame(reader.doc(), original.doc)
    await until(() => repo.handles[original.id as never]!.inState(['ready'] as never))
    t.strictSame(repo.handles[original.id as never]!.doc(), original.doc)
    await goesOn()
    t.strictSame(seen.refused, [])
  }
})

t.test('a document whose folder cannot be read is not available until it can be', async t => {
  const folder = await scratch(t)
  const original = new Original()
  place(folder, original.id, 'snapshot', 'sound', original.saved)
  const its = path.join(folder, original.id.slice(0, 2), original.id.slice(2))
  renameSync(its, `${its}.away`)
  writeFileSync(its, 'no folder')
  const { url, seen, engine } = await serve(t, { folder })
  const { repo, goesOn } = await bystander(t, url)
  await t.rejects(repo.find<Doc>(urlOf(original.id)), /unavailable/)
  t.equal(engine.levels().unopened, 1)
  await goesOn()
  rmSync(its)
  renameSync(`${its}.away`, its)
  await until(() => repo.handles[original.id as never]!.isReady())
  t.strictSame(repo.handles[original.id as never]!.doc(), original.doc)
  await goesOn()
  t.strictSame(seen.refused, [])
})

t.test('a document of which nothing can be read is deleted like any other', async t => {
  const folder = await scratch(t)
  const original = new Original()
  place(folder, original.id, 'snapshot', 'torn', original.saved.subarray(0, -10))
  const { engine } = await serve(t, { folder })
  await engine.remove(original.id)
  await t.rejects(engine.heads(original.id), { code: 'RELAY_DOCUMENT_DELETED' })
})

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { Bundle } from '../../../lib/bundles/bundle.ts'
import { documentPath } from '../../../lib/bundles/file/entry-path.ts'
import { streamLive } from '../../../lib/bundles/live.ts'
import { RelayError } from '../../../lib/errors.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import {
  automerge, edit, entriesOf, load, openMerged, readBundle, readLive, relay, sample, save, upload
} from './relay.ts'
import { sourceOf } from './source.ts'
import { newId } from './stores/folder.ts'
import { zip } from './zip.ts'

const limits = { maxEntries: 1000, maxDocument: 1e8, maxInflated: 1e9 }

t.test('every document as it is now, and those reached from them since', async t => {
  const { bundles, sync } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, documents, bytes } = await sample(newId(), { unknown: 1 })
  await bundles.receive(upload(bytes))

  const [added, deep, missing] = [newId(), newId(), newId()]
  await sync.merge(fileId, [edit(documents[fileId]!, file => { file.content = 'edited' })])
  await sync.merge(deep, [save({ children: [{ pointer: rootId }, { pointer: deep }] })])
  await sync.merge(added, [save({ children: [{ pointer: deep }, { pointer: missing }] })])
  await sync.merge(newId(), [save({ nobody: 'refers to it' })])
  await sync.merge(rootId, [edit(documents[rootId]!, root => {
    root.path_index = new Automerge.ImmutableString(
      JSON.stringify({ paths: { '/added': { doc_id: added }, '/missing': { doc_id: missing } } })
    )
  })])

  const live = await readLive(bundles, rootId)
  t.ok(Buffer.compare(live.bundle.manifestBytes, (await readBundle(bytes)).bundle.manifestBytes) === 0)
  t.strictSame([...live.documents.keys()].sort(), [rootId, fileId, added, deep].sort())
  t.strictSame(load(live.documents.get(fileId)!), { content: 'edited' })
  for (const [id, document] of live.documents) t.ok(Buffer.compare(document, (await sync.snapshot(id))!) === 0, id)
})

t.test('a live bundle can be uploaded again', async t => {
  const { bundles } = await relay(t)
  await openMerged(bundles)
  const { rootId, bytes } = await sample()
  await bundles.receive(upload(bytes))
  await bundles.receive(await bundles.live(rootId))
  t.equal((await readLive(bundles, rootId)).documents.size, 2)
})

t.test('a document that storage has lost comes from the bundle, all its chunks', async t => {
  const first = Automerge.from<Record<string, number>>({ a: 1 })
  const second = Automerge.change(Automerge.clone(first), document => { document.b = 2 })
  const id = newId()
  const [snapshot, since] = [Automerge.save(first), Automerge.saveSince(second, Automerge.getHeads(first))]
  const bytes = await zip([
    ...entriesOf(id, { [id]: snapshot }), [documentPath(id).replace('snapshot/bundle_export', 'incremental/x'), since]
  ])
  const bundle = await Bundle.open(sourceOf(bytes), limits)
  const { documents } = await readBundle(
    await buffer(streamLive(bundle, { sync: { snapshot: async () => null }, automerge }))
  )
  t.strictSame(load(documents.get(id)!), { a: 1, b: 2 })
})

/** A bundle of many documents, and how many were asked for. */
async function many (count: number) {
  const documents: Record<DocumentId, Uint8Array> = {}
  for (let n = 0; n < count; n++) documents[newId()] = save({ noise: randomBytes(200_000) })
  const rootId = Object.keys(documents)[0] as DocumentId
  const bundle = await Bundle.open(sourceOf(await zip(entriesOf(rootId, documents))), limits)
  const asked: DocumentId[] = []
  const snapshot = async (id: DocumentId) => {
    asked.push(id)
    return documents[id] ?? null
  }
  return { bundle, asked, snapshot }
}

t.test('a document is read when the one before was taken, and none when nobody reads', async t => {
  const { bundle, asked, snapshot } = await many(10)
  const stream = streamLive(bundle, { sync: { snapshot }, automerge })
  let taken = 0
  for await (const chunk of stream) {
    taken += chunk.length
    const begun = Math.floor(taken / 200_000) + 1
    if (asked.length > begun + 1) t.fail(`${asked.length} documents were read while the ${begun}th was taken`)
  }
  t.equal(asked.length, 10)
})

t.test('a stream that is destroyed ends the work', async t => {
  const { bundle, asked, snapshot } = await many(10)
  const stream = streamLive(bundle, { sync: { snapshot }, automerge })
  await once(stream, 'readable')
  stream.destroy()
  await once(stream, 'close')
  const before = asked.length
  t.ok(before <= 2, `${before} were read`)
  await automerge.inspect([save({})]) // what was under way is done
  await new Promise(resolve => setImmediate(resolve))
  t.ok(asked.length <= before + 1, `${asked.length} were read`)
})

t.test('a document that cannot be read destroys the stream', async t => {
  const { bundle, snapshot } = await many(5)
  const failing = async (id: DocumentId) => {
    if (id === bundle.documents[3]) throw new RelayError('RELAY_STORAGE_FAILED', 'no')
    return await snapshot(id)
  }
  await t.rejects(
    buffer(streamLive(bundle, { sync: { snapshot: failing }, automerge })), { code: 'RELAY_STORAGE_FAILED' }
  )
})

t.test('the stored bundle is let go when the stream is done or destroyed', async t => {
  const { bundles, store } = await relay(t)
  await openMerged(bundles)
  const { rootId, bytes } = await sample()
  await bundles.receive(upload(bytes))
  let held = 0
  const open = store.open.bind(store)
  store.open = async id => {
    const opened = await open(id)
    if (opened === null) return null
    held++
    const close = opened.close.bind(opened)
    opened.close = async () => {
      held--
      await close()
    }
    return opened
  }
  await buffer(await bundles.live(rootId))
  const stream = await bundles.live(rootId)
  t.equal(held, 1)
  stream.destroy()
  await once(stream, 'close')
  t.equal(held, 0)
})

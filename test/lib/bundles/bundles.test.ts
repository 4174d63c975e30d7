import { readdir, readFile, rm, truncate } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { bundleKey } from '../../../lib/bundles/stores/key.ts'
import type { BundleFile } from '../../../lib/bundles/stores/store.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { scratch } from '../../scratch.ts'
import { edit, entriesOf, load, openMerged, readBundle, readLive, relay, sample, save, upload } from './relay.ts'
import { objectFile as bundleFile } from '../objects/object-behaviour.ts'
import { FolderBundles, newId } from './stores/folder.ts'
import { namesIn, zip } from './zip.ts'

t.test('an upload is stored as it came, and its documents are in document storage', async t => {
  const { bundles, sync, folder, operations } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, bytes } = await sample()
  t.strictSame(await bundles.receive(upload(bytes), bytes.length), { id: rootId })
  const stored = await bundles.download(rootId)
  t.ok((await buffer(stored.stream())).equals(bytes))
  await stored.close()
  t.strictSame(load((await sync.snapshot(fileId))!), { content: 'of the file' })
  t.ok(await sync.snapshot(rootId))
  t.strictSame(await readdir(path.join(folder, 'tmp')), [])
  t.strictSame(operations, ['bundle upload', 'store put', 'store open', 'bundle download', 'store open'])
})

t.test('a slim bundle is the manifest’s own bytes and the root document as it is now', async t => {
  const { bundles, sync } = await relay(t)
  await openMerged(bundles)
  const { rootId, documents, bytes } = await sample(newId(), { unknown: 'kept' })
  await bundles.receive(upload(bytes))

  const first = await bundles.slim(rootId)
  t.match(first.etag, /^"[\w-]{43}"$/)
  t.strictSame(
    namesIn(first.bytes), ['manifest.json', `storage/${rootId.slice(0, 2)}/${rootId.slice(2)}/snapshot/bundle_export`]
  )
  const slim = await readBundle(first.bytes)
  t.ok(Buffer.compare(slim.bundle.manifestBytes, (await readBundle(bytes)).bundle.manifestBytes) === 0)
  t.strictSame(load(slim.documents.get(rootId)!), load(documents[rootId]!))

  t.equal((await bundles.slim(rootId)), await bundles.slim(rootId), 'kept ready')
  t.equal((await bundles.slim(rootId)).etag, first.etag, 'the same contents make the same bytes')

  await sync.merge(rootId, [edit(documents[rootId]!, root => { root.added = true })])
  const second = await bundles.slim(rootId)
  t.not(second.etag, first.etag)
  t.strictSame(load((await readBundle(second.bytes)).documents.get(rootId)!).added, true)
})

t.test('uploading again merges and replaces', async t => {
  const { bundles, sync } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, documents, bytes } = await sample()
  await bundles.receive(upload(bytes))
  const before = await bundles.slim(rootId)
  await sync.merge(fileId, [edit(documents[fileId]!, file => { file.edited = 'here' })])
  const changed = { ...documents, [fileId]: edit(documents[fileId]!, file => { file.changed = 'there' }) }
  const again = await zip(entriesOf(rootId, changed, { entrypoints: ['new'] }))
  await bundles.receive(upload(again))
  t.strictSame(load((await sync.snapshot(fileId))!), { content: 'of the file', edited: 'here', changed: 'there' })
  const slim = await bundles.slim(rootId)
  t.not(slim.etag, before.etag, 'nothing stale is given as fresh')
  t.strictSame((await readBundle(slim.bytes)).bundle.manifest.entrypoints, ['new'])
  await bundles.receive(upload(again))
  t.equal((await bundles.slim(rootId)).etag, slim.etag, 'the same again changes nothing')
})

t.test('uploads of one id at the same time, one after the other', async t => {
  const { bundles, sync } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, documents } = await sample()
  const uploads = await Promise.all(Array.from({ length: 6 }, async (_, n) => await zip(entriesOf(rootId, {
    ...documents, [fileId]: edit(documents[fileId]!, file => { file[`edit${n}`] = n })
  }, { entrypoints: [`${n}`] }))))
  await Promise.all(uploads.map(bytes => bundles.receive(upload(bytes))))
  t.equal(Object.keys(load((await sync.snapshot(fileId))!)).length, 7, 'all are merged')
  const stored = await bundles.download(rootId)
  const whole = await buffer(stored.stream())
  await stored.close()
  t.equal(uploads.filter(bytes => bytes.equals(whole)).length, 1, 'one is stored, whole')
  const { bundle } = await readBundle((await bundles.slim(rootId)).bytes)
  t.strictSame(bundle.manifest.entrypoints, (await readBundle(whole)).bundle.manifest.entrypoints)
})

t.test('a bundle that another relay stored is merged before it is cut, once', async t => {
  const { bundles, sync, store, folder, restart } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, bytes } = await sample()
  await store.put(rootId, await bundleFile(t, bytes))
  const [one, two] = await Promise.all([bundles.slim(rootId), bundles.slim(rootId)])
  t.equal(one.etag, two.etag)
  t.strictSame(load((await sync.snapshot(fileId))!), { content: 'of the file' })
  t.strictSame(await readdir(path.join(folder, 'tmp')), [], 'no copy is left')

  const stored = await bundles.download(rootId)
  await stored.close()
  t.equal(await readFile(path.join(folder, 'merged', rootId), 'utf8'), stored.etag)
  const later = await restart()
  await openMerged(later.bundles)
  await rm(path.join(folder, fileId.slice(0, 2)), { recursive: true })
  await later.bundles.slim(rootId)
  t.equal(await later.sync.snapshot(fileId), null, 'not read again after a restart')
})

t.test('no bundle brings a deleted document back, and one whose root is deleted is none', async t => {
  const { bundles, sync, store, folder } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, bytes } = await sample()
  await bundles.receive(upload(bytes))
  await sync.remove(fileId)
  await bundles.receive(upload(bytes))
  await rm(path.join(folder, 'merged'), { recursive: true })
  await bundles.slim(rootId)
  await t.rejects(sync.snapshot(fileId), { code: 'RELAY_DOCUMENT_DELETED' })
  t.strictSame([...(await readLive(bundles, rootId)).documents.keys()], [rootId])
  await sync.remove(rootId)
  await t.rejects(bundles.slim(rootId), { code: 'RELAY_DOCUMENT_DELETED' })
  await t.rejects(bundles.live(rootId), { code: 'RELAY_DOCUMENT_DELETED' })
  const stored = await store.open(rootId)
  t.equal(stored?.size, bytes.length, 'it can be downloaded as it was')
  await stored?.close()
})

t.test('an upload is remembered as merged', async t => {
  const { bundles, folder } = await relay(t)
  await openMerged(bundles)
  const { rootId, bytes } = await sample()
  await bundles.receive(upload(bytes))
  const stored = await bundles.download(rootId)
  await stored.close()
  t.equal(await readFile(path.join(folder, 'merged', rootId), 'utf8'), stored.etag)
})

t.test('what another relay puts in the place of an upload at once is not taken for merged', async t => {
  const { rootId, fileId, documents, bytes } = await sample()
  const other = await zip(
    entriesOf(rootId, { ...documents, [fileId]: edit(documents[fileId]!, file => { file.other = 1 }) })
  )
  class Shared extends FolderBundles {
    override async put (id: DocumentId, file: BundleFile): Promise<void> {
      await super.put(id, file)
      await super.put(id, await bundleFile(t, other))
    }
  }
  const folder = await scratch(t)
  const { bundles, sync } = await relay(t, { storage: folder }, { store: new Shared({ folder }) })
  await openMerged(bundles)
  await bundles.receive(upload(bytes))
  await bundles.slim(rootId)
  t.strictSame(load((await sync.snapshot(fileId))!), { content: 'of the file', other: 1 })
})

t.test('an upload replaced while it is remembered is taken all the same', async t => {
  const { rootId, fileId, documents, bytes } = await sample()
  const other = await zip(
    entriesOf(rootId, { ...documents, [fileId]: edit(documents[fileId]!, file => { file.other = 1 }) })
  )
  const folder = await scratch(t)
  let opened = 0
  class Shared extends FolderBundles {
    override async open (id: DocumentId) {
      const bundle = await super.open(id)
      if (++opened === 1) {
        await truncate(path.join(folder, bundleKey(id)), 10)
        await super.put(id, await bundleFile(t, other))
      }
      return bundle
    }
  }
  const { bundles, sync } = await relay(t, { storage: folder }, { store: new Shared({ folder }) })
  await openMerged(bundles)
  t.strictSame(await bundles.receive(upload(bytes)), { id: rootId })
  await bundles.slim(rootId)
  t.strictSame(load((await sync.snapshot(fileId))!), { content: 'of the file', other: 1 })
})

t.test('a stored bundle that cannot be copied is let go', async t => {
  const { bundles, store, folder } = await relay(t)
  await openMerged(bundles)
  const { rootId, bytes } = await sample()
  await store.put(rootId, await bundleFile(t, bytes))
  const streams: Readable[] = []
  const open = store.open.bind(store)
  store.open = async id => {
    const opened = (await open(id))!
    const stream = opened.stream.bind(opened)
    opened.stream = range => {
      streams.push(stream(range))
      return streams.at(-1)!
    }
    return opened
  }
  await rm(path.join(folder, 'tmp'), { recursive: true })
  await t.rejects(bundles.slim(rootId), { code: 'RELAY_STORAGE_FAILED' })
  t.equal(streams.length, 2)
  t.ok(streams.every(stream => stream.destroyed))
})

t.test('a crash between storing and merging is made good', async t => {
  const { bundles, sync, store } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, bytes } = await sample()
  await store.put(rootId, await bundleFile(t, bytes))
  const { documents } = await readLive(bundles, rootId)
  t.ok(documents.has(fileId))
  t.ok(await sync.snapshot(fileId))
})

t.test('a stored object that is no bundle, or another’s, merges nothing', async t => {
  const { bundles, sync, store, folder } = await relay(t)
  await openMerged(bundles)
  const { rootId, fileId, bytes, documents } = await sample()
  const otherId = newId()
  await store.put(otherId, await bundleFile(t, bytes))
  await t.rejects(bundles.slim(otherId), { code: 'RELAY_BUNDLE_INVALID', message: rootId })
  await t.rejects(bundles.live(otherId), { code: 'RELAY_BUNDLE_INVALID' })
  await store.put(
    rootId, await bundleFile(t, await zip(entriesOf(rootId, { ...documents, [newId()]: Buffer.from('no') })))
  )
  await t.rejects(bundles.slim(rootId), { code: 'RELAY_BUNDLE_INVALID', message: /not Automerge data/ })
  t.equal(await sync.snapshot(fileId), null)
  t.strictSame((await readdir(path.join(folder, 'merged'))).sort(), ['blank', 'served'])
})

t.test('a bundle that is not there', async t => {
  const { bundles } = await relay(t)
  await openMerged(bundles)
  const id = newId()
  for (const name of ['download', 'slim', 'live'] as const) {
    await t.rejects(
      async () => { await bundles[name](id) }, { code: 'RELAY_BUNDLE_NOT_FOUND', message: `Bundle not found: ${id}` }
    )
  }
})

t.test('slim and manifest-only bundles are bundles', async t => {
  const { bundles, sync } = await relay(t)
  await openMerged(bundles)
  const rootId = newId()
  await bundles.receive(
    upload(await zip([['manifest.json', (await readBundle((await sample(rootId)).bytes)).bundle.manifestBytes]]))
  )
  t.strictSame(namesIn((await bundles.slim(rootId)).bytes), ['manifest.json'], 'no root document anywhere')
  await sync.merge(rootId, [save({ children: [] })])
  t.equal(namesIn((await bundles.slim(rootId)).bytes).length, 2, 'the one in storage')
})

t.test('a bundle replaced while it is read is read again', async t => {
  const { rootId, bytes } = await sample()
  const folder = await scratch(t)
  let opened = 0
  class Replacing extends FolderBundles {
    override async open (id: DocumentId) {
      const bundle = await super.open(id)
      if (++opened === 2) { // the first is to remember the upload
        await truncate(path.join(folder, bundleKey(id)), 10)
        await super.put(id, await bundleFile(t, bytes))
      }
      return bundle
    }
  }
  const { bundles } = await relay(t, { storage: folder }, { store: new Replacing({ folder }) })
  await openMerged(bundles)
  await bundles.receive(upload(bytes))
  t.equal(namesIn((await bundles.slim(rootId)).bytes).length, 2)
  t.equal(opened, 3)
})

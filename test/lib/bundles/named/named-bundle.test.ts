import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { edit, entriesOf, filesIn, load, openMerged, readBundle, relay, sample, save, upload } from '../relay.ts'
import { newId } from '../stores/folder.ts'
import { namesIn, zip } from '../zip.ts'
import { scratch } from '../../../scratch.ts'

t.test('without a bundle the blank one is made, once, and served', async t => {
  const { bundles, sync, folder, restart } = await relay(t)
  await openMerged(bundles)
  const blank = await bundles.blank()
  const bytes = await buffer(blank.stream())
  await blank.close()
  const { bundle, documents } = await readBundle(bytes)
  t.strictSame(bundle.documents, [bundle.rootId])
  t.ok(await sync.snapshot(bundle.rootId), 'its root document is there to be synced')

  const slim = await readBundle((await bundles.servedSlim()).bytes)
  t.equal(slim.bundle.rootId, bundle.rootId)
  t.strictSame(load(slim.documents.get(bundle.rootId)!), load(documents.get(bundle.rootId)!))

  const again = await restart()
  const before = await filesIn(folder)
  await openMerged(again.bundles)
  t.strictSame(await filesIn(folder), before, 'all clients get the same root, after a restart too')
  const kept = await again.bundles.blank()
  t.strictSame(await buffer(kept.stream()), bytes)
  await kept.close()
})

t.test('the blank bundle is one that each generation of Tonk’s file system extends', async t => {
  const { bundles } = await relay(t)
  await openMerged(bundles)
  const blank = await bundles.blank()
  const { bundle, documents } = await readBundle(await buffer(blank.stream()))
  await blank.close()
  const text = Buffer.from(bundle.manifestBytes).toString()
  const manifest = JSON.parse(text)
  t.equal(text, JSON.stringify(manifest, null, 2))
  t.strictSame(
    Object.keys(manifest), ['manifestVersion', 'version', 'rootId', 'entrypoints', 'networkUris', 'xNotes', 'xVendor']
  )
  t.match(manifest.xVendor.xTonk, { createdAt: /^\d{4}-\d\d-\d\dT/, exportedFrom: /^fastify-automerge-relay v\d/ })

  const root = load(documents.get(bundle.rootId)!)
  t.strictSame(
    Object.keys(root).sort(),
    ['children', 'entries', 'last_updated', 'name', 'path_index', 'timestamps', 'type', 'version']
  )
  t.strictSame([root.children, root.entries, root.version], [[], {}, 2])
  for (
    const [key, value] of [
      ['type', 'directory'], ['name', '/'], ['path_index', /^\{"paths":\{\},"last_updated":\d{13}\}$/]
    ] as const
  ) {
    t.ok(Automerge.isImmutableString(root[key]), `${key} is a scalar, as Tonk reads them`)
    t.match(String(root[key]), value)
  }
  const [change] = Automerge.getAllChanges(root).map(change => Automerge.decodeChange(change))
  const times = change!.ops.filter(
    ({ key }) => ['created', 'modified', 'last_updated', 'version'].includes(String(key))
  )
  t.strictSame(times.map(({ datatype }) => datatype), ['int', 'int', 'int', 'int'])
})

t.test('the bundle given is served, slim, in its current state', async t => {
  const { rootId, fileId, documents, bytes } = await sample()
  const folder = await scratch(t, { 'app.tonk': bytes })
  const { bundles, sync, restart } = await relay(
    t, { storage: path.join(folder, 'data'), bundle: path.join(folder, 'app.tonk') }
  )
  await openMerged(bundles)
  t.strictSame(load((await sync.snapshot(fileId))!), { content: 'of the file' }, 'merged at the start')
  const first = await bundles.servedSlim()
  t.equal(namesIn(first.bytes).length, 2)
  t.equal((await bundles.servedSlim()).bytes, (await bundles.servedSlim()).bytes, 'kept ready')
  await sync.merge(rootId, [edit(documents[rootId]!, root => { root.added = true })])
  const slim = await readBundle((await bundles.servedSlim()).bytes)
  t.equal(load(slim.documents.get(rootId)!).added, true)

  const again = await restart()
  await rm(path.join(folder, 'data', fileId.slice(0, 2)), { recursive: true })
  await openMerged(again.bundles)
  t.equal(await again.sync.snapshot(fileId), null, 'not merged again at the next start')
})

t.test('a served file that is replaced is merged and served from then on', async t => {
  const [one, two] = [await sample(), await sample()]
  const folder = await scratch(t, { 'app.tonk': one.bytes, 'next.tonk': two.bytes })
  const { bundles, sync } = await relay(
    t, { storage: path.join(folder, 'data'), bundle: path.join(folder, 'app.tonk') }
  )
  await openMerged(bundles)
  await bundles.servedSlim()
  await rename(path.join(folder, 'next.tonk'), path.join(folder, 'app.tonk'))
  t.equal((await readBundle((await bundles.servedSlim()).bytes)).bundle.rootId, two.rootId)
  t.ok(await sync.snapshot(two.fileId))
  await writeFile(path.join(folder, 'app.tonk'), 'no bundle at all')
  await t.rejects(bundles.servedSlim(), { code: 'RELAY_BUNDLE_INVALID' })
  await rm(path.join(folder, 'app.tonk'))
  await t.rejects(
    bundles.servedSlim(), { code: 'RELAY_FILE_NOT_FOUND', message: /^Bundle file not found$/ }, 'clients learn no path'
  )
})

t.test('a template given is handed out', async t => {
  const { bytes, rootId } = await sample()
  const folder = await scratch(t, { 'template.tonk': bytes })
  const { bundles, sync } = await relay(
    t, { storage: path.join(folder, 'data'), blank: path.join(folder, 'template.tonk') }
  )
  await openMerged(bundles)
  const blank = await bundles.blank()
  t.ok((await buffer(blank.stream())).equals(bytes))
  await blank.close()
  t.ok(await sync.snapshot(rootId))
  t.notOk((await readdir(path.join(folder, 'data'))).includes('blank.tonk'))
  t.equal((await readBundle((await bundles.servedSlim()).bytes)).bundle.rootId, rootId)
})

t.test('a file that cannot be used is named at the start', async t => {
  const folder = await scratch(t, {
    'text.tonk': 'text',
    'empty.tonk': '',
    'folder.tonk': null
  })
  const cases = [
    ['missing.tonk', 'RELAY_FILE_NOT_FOUND', (file: string) => `Bundle file not found: ${file}`],
    ['text.tonk', 'RELAY_BUNDLE_INVALID', (file: string) => `${file}: Invalid bundle: End of central directory`],
    ['empty.tonk', 'RELAY_BUNDLE_INVALID', (file: string) => `${file}: Invalid bundle: End of central directory`],
    ['folder.tonk', 'RELAY_BUNDLE_INVALID', (file: string) => `${file}: Invalid bundle: not a file`]
  ] as const
  for (const [name, code, message] of cases) {
    const file = path.join(folder, name)
    for (const option of ['bundle', 'blank'] as const) {
      const { bundles, close } = await relay(t, { storage: path.join(folder, 'data'), [option]: file })
      await t.rejects(bundles.open(), { code, message: message(file) }, `${option} ${name}`)
      await close()
    }
  }
})

t.test('a damaged document in one is named once it is met', async t => {
  const id = newId()
  const folder = await scratch(t, { 'damaged.tonk': await zip(entriesOf(id, { [id]: save({}).subarray(0, -1) })) })
  const file = path.join(folder, 'damaged.tonk')
  for (const option of ['bundle', 'blank'] as const) {
    const { bundles, close } = await relay(t, { storage: path.join(folder, option), [option]: file })
    await openMerged(bundles)
    t.throws(
      () => bundles.checkNamed(), { code: 'RELAY_BUNDLE_INVALID', message: `${file}: Invalid bundle: document ${id}` }
    )
    await close()
  }
})

t.test('a blank bundle that was damaged is named', async t => {
  const { bundles, folder, restart } = await relay(t)
  await openMerged(bundles)
  const file = path.join(folder, 'blank.tonk')
  await writeFile(file, (await readFile(file)).subarray(0, 100))
  await t.rejects((await restart()).bundles.open(), { code: 'RELAY_BUNDLE_INVALID', message: file })
})

t.test('a storage folder that cannot be written is named', async t => {
  const { folder, bundles } = await relay(t)
  await rm(path.join(folder, 'tmp'), { recursive: true })
  await writeFile(path.join(folder, 'tmp'), '')
  await t.rejects(bundles.open(), { code: 'RELAY_STORAGE_FAILED', message: path.join(folder, 'tmp') })
})

t.test('one served and uploaded under the same root: each has its own manifest', async t => {
  const { rootId, documents, bytes } = await sample()
  const folder = await scratch(t, { 'app.tonk': bytes })
  const { bundles } = await relay(t, { storage: path.join(folder, 'data'), bundle: path.join(folder, 'app.tonk') })
  await openMerged(bundles)
  await bundles.receive(upload(await zip(entriesOf(rootId, documents, { entrypoints: ['uploaded'] }))))
  const [served, stored] = [
    await readBundle((await bundles.servedSlim()).bytes), await readBundle((await bundles.slim(rootId)).bytes)
  ]
  t.strictSame([served.bundle.manifest.entrypoints, stored.bundle.manifest.entrypoints], [[], ['uploaded']])
})

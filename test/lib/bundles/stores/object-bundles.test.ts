import { readdir, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import t from 'tap'
import { bundleKey } from '../../../../lib/bundles/stores/key.ts'
import { scratch } from '../../../scratch.ts'
import { objectFile, refuses } from '../../objects/object-behaviour.ts'
import { FolderBundles, newId } from './folder.ts'

t.test('bundles have Tonk’s keys, and their owners beside them', async t => {
  const folder = await scratch(t)
  const [store, id] = [new FolderBundles({ folder }), newId()]
  await store.check()
  await store.put(id, await objectFile(t, Buffer.from('bytes')), { owner: 'ann', replaces: null })
  t.strictSame((await readdir(path.join(folder, 'bundles'))).sort(), [`${id}.owner`, `${id}.tonk`])
  const stored = (await store.open(id))!
  t.strictSame([stored.size, stored.owner, String(await buffer(stored.stream()))], [5, 'ann', 'bytes'])
  await stored.close()
  await refuses(
    t, store.put(id, await objectFile(t, Buffer.from('other')), { replaces: null }), 'RELAY_PRECONDITION_FAILED'
  )
  await store.remove(id)
  t.strictSame(await readdir(path.join(folder, 'bundles')), [])
  t.equal(await store.open(id), null)
})

t.test('what is no bundle is not listed, however much there is of it', async t => {
  const folder = await scratch(t)
  const [store, ids] = [new FolderBundles({ folder }), [newId(), newId(), newId()].sort()]
  await store.check()
  for (const id of ids) await store.put(id, await objectFile(t, Buffer.from(id)))
  for (const name of ['1', '2', '3', 'A.tonk', 'z', 'zz.tonk']) await writeFile(path.join(folder, 'bundles', name), '')
  t.strictSame((await store.list({ limit: 2 })).map(({ id }) => id), ids.slice(0, 2))
  t.strictSame((await store.list({ limit: 2, after: ids[1]! })).map(({ id }) => id), ids.slice(2))
  t.strictSame((await store.list({ limit: 1000 })).map(({ id }) => id), ids)
})

t.test('a bundle that changed while it was read is told as one', async t => {
  const folder = await scratch(t)
  const [store, id] = [new FolderBundles({ folder }), newId()]
  await store.check()
  await store.put(id, await objectFile(t, Buffer.alloc(500_000)))
  const stored = (await store.open(id))!
  await truncate(path.join(folder, bundleKey(id)), 100)
  await refuses(t, buffer(stored.stream()), 'RELAY_BUNDLE_CHANGED')
  await stored.close()
})

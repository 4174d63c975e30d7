import t, { type Test } from 'tap'
import { writeFile } from 'node:fs/promises'
import { LimitedStore } from '../../../../lib/bundles/stores/limited-store.ts'
import type { DocumentId } from '../../../../lib/ids.ts'
import { Limits } from '../../../../lib/limits/limits.ts'
import { silent } from '../../../../lib/log.ts'
import { openLocalObjects } from '../../../../lib/objects/open-objects.ts'
import { parseOptions } from '../../../../lib/options.ts'
import { scratch } from '../../../scratch.ts'
import { FolderBundles, newId } from './folder.ts'

async function limited (t: Test, bundlesPerPrincipal: number) {
  const folder = await scratch(t)
  const limits = new Limits(parseOptions({ limits: { bundlesPerPrincipal } }).limits, silent)
  const open = () => new LimitedStore(new FolderBundles({ folder }), openLocalObjects(folder, silent), limits)
  const store = open()
  await store.check()
  const put = async (id: DocumentId, owner?: string, replaces: string | null = null, to = store) => {
    const path = `${folder}/${newId()}`
    await writeFile(path, 'a bundle')
    await to.put(id, { path, size: 8 }, owner === undefined ? undefined : { owner, replaces })
  }
  return { store, limits, put, open }
}

const TOO_MANY = { code: 'RELAY_TOO_MANY_BUNDLES', message: /You have 2 bundles/ }

t.test('a principal owns as many bundles as it may, also after a restart', async t => {
  const { store, limits, put, open } = await limited(t, 2)
  const ids = [newId(), newId(), newId()]
  await put(ids[0]!, 'ann')
  await put(ids[1]!, 'ann')
  await t.rejects(put(ids[2]!, 'ann'), TOO_MANY)
  t.equal(await store.open(ids[2]!), null)
  await put(newId(), 'bob')
  await put(newId())
  await t.rejects(put(ids[2]!, 'ann', null, open()), TOO_MANY)
  const stored = (await store.open(ids[0]!))!
  await stored.close()
  await put(ids[0]!, 'ann', stored.etag)
  await store.remove!(ids[1]!)
  await put(ids[2]!, 'ann')
  t.strictSame([...limits.refusals.met], [['bundlesPerPrincipal', 2]])
})

t.test('what is not stored does not count', async t => {
  const { put } = await limited(t, 2)
  const id = newId()
  await put(id, 'ann')
  for (let n = 0; n < 5; n++) {
    await t.rejects(put(newId(), 'ann', '"another version"'), { code: 'RELAY_PRECONDITION_FAILED' })
  }
  await t.rejects(put(id, 'ann'), { code: 'RELAY_PRECONDITION_FAILED' }, 'there is one')
  await put(newId(), 'ann')
  await t.rejects(put(newId(), 'ann'), TOO_MANY, 'that one still counts')
})

t.test('a bundle that somebody else replaces counts for them', async t => {
  const { store, put } = await limited(t, 2)
  const ids = [newId(), newId()]
  for (const id of ids) await put(id, 'ann')
  const stored = (await store.open(ids[0]!))!
  await stored.close()
  await t.rejects(put(newId(), 'ann'), TOO_MANY)
  await put(ids[0]!, 'admin', stored.etag)
  await put(newId(), 'ann')
})

t.test('a store that keeps all, and does not tell', async t => {
  const { limits } = await limited(t, 2)
  const { list, remove } = new LimitedStore(
    { open: async () => null, put: async () => {}, check: async () => {}, close: async () => {} },
    openLocalObjects(await scratch(t), silent), limits
  )
  t.strictSame([list, remove], [undefined, undefined])
})

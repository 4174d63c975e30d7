import path from 'node:path'
import t, { type Test } from 'tap'
import { MergeMarks } from '../../../../lib/bundles/merge-marks.ts'
import { Merger } from '../../../../lib/bundles/merger.ts'
import { NamedBundles } from '../../../../lib/bundles/named/named-bundles.ts'
import { SlimCache } from '../../../../lib/bundles/slim-cache.ts'
import { bundleFile } from '../../../../lib/bundles/named/named-bundle.ts'
import { silent } from '../../../../lib/log.ts'
import { openLocalObjects } from '../../../../lib/objects/open-objects.ts'
import { parseOptions } from '../../../../lib/options.ts'
import type { SyncEngine } from '../../../../lib/sync/engine.ts'
import { scratch } from '../../../scratch.ts'
import { automerge, entriesOf, sample } from '../relay.ts'
import { newId } from '../stores/folder.ts'
import { zip } from '../zip.ts'

/** The named bundles on an engine whose merges wait until they are released. */
async function named (t: Test, bytes: Uint8Array) {
  const storage = await scratch(t, { 'app.tonk': bytes })
  const file = bundleFile(path.join(storage, 'app.tonk'))
  const stored = new Map<string, Uint8Array>()
  let release = (): void => {}
  const released = new Promise<void>(resolve => { release = resolve })
  const sync = {
    merge: async (id: string, chunks: Uint8Array[]) => { await released; stored.set(id, Buffer.concat(chunks)) },
    snapshot: async (id: string) => stored.get(id) ?? null,
    heads: async () => []
  } as unknown as SyncEngine
  const limits = parseOptions({})
  const marks = new MergeMarks(openLocalObjects(storage, silent))
  const merger = new Merger({ sync, automerge, marks, limits, log: silent })
  const parts = { sync, merger, slims: new SlimCache(1e6), limits, log: silent }
  return { bundles: new NamedBundles(file, file, parts), stored, release }
}

t.test('a start does not wait until the served bundle is merged; who wants it does', async t => {
  const { rootId, fileId, bytes } = await sample()
  const { bundles, stored, release } = await named(t, bytes)
  await bundles.open()
  t.throws(() => bundles.check(), { code: 'RELAY_NOT_READY' })
  let answered = false
  const slim = bundles.servedSlim().then(slim => { answered = true; return slim })
  await (await bundles.blank()).close()
  t.notOk(answered)
  release()
  t.equal((await slim).rootId, rootId)
  t.doesNotThrow(() => bundles.check())
  t.strictSame([...stored.keys()].sort(), [rootId, fileId].sort(), 'with all of its documents')
  await bundles.close()
})

t.test('what is found out in a merge is kept as the reason, and told to who wants the bundle', async t => {
  const rootId = newId()
  const { bundles, release } = await named(t, await zip(entriesOf(rootId, { [rootId]: Buffer.from('no document') })))
  await bundles.open()
  release()
  await t.rejects(bundles.servedSlim(), { code: 'RELAY_BUNDLE_INVALID' })
  await bundles.close()
  t.throws(() => bundles.check(), { code: 'RELAY_BUNDLE_INVALID' })
})

t.test('a close ends the merge after the document it is at', async t => {
  const { bytes } = await sample()
  const { bundles, stored, release } = await named(t, bytes)
  await bundles.open()
  const closed = bundles.close()
  release()
  await closed
  t.ok(stored.size < 2)
  t.throws(() => bundles.check(), { code: 'RELAY_CLOSING' })
})

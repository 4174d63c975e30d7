import { cp, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import t, { type Test } from 'tap'
import { AutomergePool } from '../../../lib/automerge/workers/pool.ts'
import { documentPath } from '../../../lib/bundles/file/entry-path.ts'
import { pack } from '../../../lib/bundles/file/pack.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { Check, type CheckSummary } from '../../../lib/maintenance/check.ts'
import { checkAndRepair } from '../../../lib/maintenance/repair.ts'
import { readStat, statText } from '../../../lib/maintenance/stat.ts'
import { nameOf } from '../../../lib/storage/compactor.ts'
import { scratch } from '../../scratch.ts'
import { Original, holds, load, open, place } from '../storage/stored.ts'

const limits = { maxEntries: 100, maxDocument: 2 ** 24, maxInflated: 2 ** 26 }

/** Checks a folder; `repair` too. */
function checker (t: Test, folder: string) {
  const automerge = new AutomergePool()
  t.teardown(() => automerge.close())
  const parts = { storage: folder, bundles: folder, limits, automerge }
  return { check: (): Promise<CheckSummary> => new Check(parts).run(), repair: () => checkAndRepair(parts) }
}

const bundleOf = async ({ id, saved }: Pick<Original, 'id' | 'saved'>): Promise<Buffer> => {
  const manifest = { manifestVersion: 1, version: { major: 1, minor: 0 }, rootId: id, entrypoints: [], networkUris: [] }
  return await pack([['manifest.json', Buffer.from(JSON.stringify(manifest))], [documentPath(id), Buffer.from(saved)]])
}

const pathOf = (folder: string, id: DocumentId, ...rest: string[]): string =>
  path.join(folder, id.slice(0, 2), id.slice(2), ...rest)

/** Changes a byte in the middle. */
async function damage (file: string): Promise<void> {
  const bytes = await readFile(file)
  bytes[bytes.length >> 1]! ^= 0xff
  await writeFile(file, bytes)
}

t.test('a folder in which all is well, beside the relay that uses it', async t => {
  const { documents, folder } = await open(t)
  const original = new Original()
  await documents.append(original.id, original.saved)
  await documents.fold()
  await documents.append(original.id, original.change({ a: 1 }))
  await mkdir(path.join(folder, 'bundles'))
  await writeFile(path.join(folder, 'bundles', `${original.id}.tonk`), await bundleOf(original))
  t.strictSame(await checker(t, folder).check(), { documents: 1, bundles: 1, findings: [] })
  await t.rejects(
    checker(t, folder).repair(),
    { code: 'RELAY_STORAGE_FAILED', message: /in use/ },
    'nothing is repaired under a relay'
  )
  const stat = await readStat({ storage: folder, bundles: folder })
  t.match(stat, {
    documents: 1,
    snapshots: 0,
    incrementals: 1,
    bundles: 1,
    storageId: documents.id,
    journal: { records: 1, segments: 1 },
    largest: [{ id: original.id, files: 1 }]
  })
  t.ok(stat.freeBytes > 0 && stat.bundleBytes > 0 && stat.journal.bytes > 0)
  for (const text of [documents.id, '1, ', original.id]) t.ok(statText(stat).includes(text))
})

t.test('a deleted document is no document, before its files are gone and after', async t => {
  const { documents, folder, close } = await open(t)
  const [gone, stays] = [new Original(), new Original()]
  for (const { id, saved } of [gone, stays]) await documents.append(id, saved)
  await documents.fold()
  await documents.remove(gone.id)
  for (const fold of [false, true]) {
    if (fold) await close()
    t.strictSame(await checker(t, folder).check(), { documents: 1, bundles: 0, findings: [] })
    const stat = await readStat({ storage: folder, bundles: folder })
    t.match(stat, { documents: 1, deleted: 1 })
    t.match(statText(stat), /1 deleted/)
  }
  t.strictSame((await checker(t, folder).repair()).findings, [])
})

t.test('a folder that no relay has used is told to be none, and nothing in it to be an orphan', async t => {
  const folder = await scratch(t)
  await writeFile(path.join(folder, 'package.json'), '{}')
  t.match(await checker(t, folder).check(), {
    documents: 0, bundles: 0, findings: [{ kind: 'folder', name: folder, problem: /^is no storage folder/ }]
  })
})

t.test('what belongs to nothing is told and left alone', async t => {
  const { folder, close } = await open(t)
  await close()
  await writeFile(path.join(folder, 'notes.txt'), '')
  await mkdir(path.join(folder, 'ab', 'cd'), { recursive: true })
  await writeFile(path.join(folder, 'ab', 'cd', 'file'), '')
  await writeFile(path.join(folder, 'journal', '000000000001.log.damaged'), '')
  const { findings } = await checker(t, folder).repair()
  t.strictSame(findings.map(({ kind, name, repair }) => [kind, name, repair]).sort(), [
    ['orphan', 'ab/cd/file', undefined], ['orphan', 'journal/000000000001.log.damaged', undefined],
    ['orphan', 'notes.txt', undefined]
  ])
})

t.test('a damaged file is set aside, the rest of its document stays', async t => {
  const { documents, folder, close } = await open(t)
  const original = new Original()
  await documents.put(original.id, original.saved)
  const { heads } = original
  await close()
  const last = original.change({ last: 1 })
  place(folder, original.id, 'incremental', nameOf(last), last)
  await damage(pathOf(folder, original.id, 'incremental', nameOf(last)))
  const { check, repair } = checker(t, folder)
  const before = await check()
  t.match(before.findings, [{ kind: 'document', name: original.id, problem: /^incremental\/.*: / }])
  t.equal(before.findings.length, 1)
  t.match(await repair(), { findings: [{ repair: /stored what could be read; 1 files set aside/ }] })
  t.strictSame((await check()).findings, [])
  t.strictSame(await readdir(path.join(folder, 'damaged', original.id, 'incremental')), [nameOf(last)])
  const { documents: again } = await open(t, { folder })
  t.strictSame(Automerge.getHeads(load(await again.chunks(original.id))), heads)
})

t.test('a change that is lost takes those with it that depend on it, unless a bundle has it', async t => {
  for (const isBundled of [false, true]) {
    const { documents, folder, close } = await open(t)
    const original = new Original()
    await documents.put(original.id, original.saved)
    const { heads } = original
    await close()
    const [lost, after] = [original.change({ lost: 1 }), original.change({ after: 1 })]
    for (const chunk of [lost, after]) place(folder, original.id, 'incremental', nameOf(chunk), chunk)
    await mkdir(path.join(folder, 'bundles'))
    if (isBundled) await writeFile(path.join(folder, 'bundles', `${original.id}.tonk`), await bundleOf(original))
    await rm(pathOf(folder, original.id, 'incremental', nameOf(lost)))
    const { check, repair } = checker(t, folder)
    t.match(await check(), { findings: [{ kind: 'document', problem: /missing/ }] })
    t.match(await repair(), {
      findings: [{ repair: isBundled ? /stored what could be read; 0 files/ : /without 1 changes/ }]
    })
    t.strictSame((await check()).findings, [])
    const { documents: again } = await open(t, { folder })
    t.strictSame(Automerge.getHeads(load(await again.chunks(original.id))), isBundled ? original.heads : heads)
  }
})

t.test('what is sound on either side of a damage is saved', async t => {
  const { folder, close } = await open(t)
  await close()
  const original = new Original()
  const chunks = [original.saved, original.change({ a: 1 }), original.changeAtOnce({ b: 1 }, { c: 1 })]
  const file = Buffer.concat(chunks)
  const b = chunks[0]!.length + chunks[1]!.length
  file[b + 20]! ^= 0xff // in the first of the two last changes
  place(folder, original.id, 'snapshot', 'joined', file)
  t.match(await checker(t, folder).repair(), { findings: [{ repair: /stored what could be read; 1 files set aside/ }] })
  t.strictSame((await checker(t, folder).check()).findings, [])
  const { documents: again } = await open(t, { folder })
  const saved = load(await again.chunks(original.id))
  t.equal(saved['a'], 1)
  t.equal(['b', 'c'].filter(key => saved[key] === 1).length, 1, 'one of two that were made at once')
})

t.test('of a document nothing of which can be read, and of an empty file', async t => {
  const { folder, close } = await open(t)
  await close()
  const [gone, empty] = [new Original(), new Original()]
  place(folder, gone.id, 'snapshot', 'x', Buffer.from('no chunk'))
  place(folder, empty.id, 'snapshot', 'good', empty.saved)
  place(folder, empty.id, 'snapshot', 'void', new Uint8Array())
  const { check, repair } = checker(t, folder)
  const { findings } = await repair()
  t.match(findings.find(({ name }) => name === gone.id), { repair: /nothing could be read; 1 files/ })
  t.match(findings.find(({ name }) => name === empty.id), { problem: /is empty/, repair: /stored what could be read/ })
  t.strictSame((await check()).findings, [])
  const { documents: again } = await open(t, { folder })
  t.ok(holds(await again.chunks(empty.id), empty.heads))
})

t.test('bundles: damaged, under another name, with a document that does not load', async t => {
  const { folder, close } = await open(t)
  await close()
  const [damaged, misnamed, broken, good] = [new Original(), new Original(), new Original(), new Original()]
  const bundles = path.join(folder, 'bundles')
  await mkdir(bundles)
  const name = ({ id }: Original): string => path.join(bundles, `${id}.tonk`)
  for (const original of [damaged, good]) await writeFile(name(original), await bundleOf(original))
  await damage(name(damaged))
  await cp(name(good), name(misnamed))
  // without what it depends on
  await writeFile(name(broken), await bundleOf({ id: broken.id, saved: broken.change({ a: 1 }) }))
  const { findings } = await checker(t, folder).repair()
  t.strictSame(
    findings.map(({ kind, name }) => [kind, name]).sort(),
    [damaged, misnamed, broken].map(({ id }) => ['bundle', `${id}.tonk`]).sort()
  )
  t.ok(findings.every(({ repair }) => repair === 'set aside in damaged/bundles'))
  t.strictSame(await readdir(bundles), [path.basename(name(good))])
  t.strictSame((await readdir(path.join(folder, 'damaged', 'bundles'))).length, 3)
})

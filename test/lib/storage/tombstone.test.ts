import t from 'tap'
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { Repo, type AutomergeUrl } from '@automerge/automerge-repo'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { scratch } from '../../scratch.ts'
import { onEachOperation } from './disk.ts'
import { Original, copyTo, files, holds, journalOf, noise, open, place } from './stored.ts'

const DELETED = { code: 'RELAY_DOCUMENT_DELETED' }
const tombstoneOf = (folder: string, { id }: Original): string =>
  path.join(folder, id.slice(0, 2), id.slice(2), 'deleted', 'tombstone')

t.test('a deleted document is deleted at once, after a fold and after a restart; others are not', async t => {
  const { documents, folder, close } = await open(t)
  const [gone, stays] = [new Original(), new Original()]
  for (const { id, saved } of [gone, stays]) await documents.append(id, saved)
  await documents.fold()
  await documents.append(gone.id, gone.change({ a: 1 }))
  await documents.remove(gone.id)
  await t.rejects(documents.chunks(gone.id), DELETED)
  t.equal(await documents.has(gone.id), false)
  await documents.fold()
  await t.rejects(documents.chunks(gone.id), DELETED)
  await t.rejects(documents.compact(gone.id), DELETED)
  t.strictSame(files(folder, gone.id), [0, 0])
  t.equal(documents.levels.held, 0)
  await close()
  t.strictSame(journalOf(folder), [])
  const { documents: again } = await open(t, { folder })
  await t.rejects(again.chunks(gone.id), DELETED)
  t.ok(holds(await again.chunks(stays.id), stays.heads))
})

t.test('killed between any two operations of a deletion, it is deleted or as it was, and nothing of it is left in ' +
  'the end', async t => {
  const { documents, folder } = await open(t)
  const [gone, stays] = [new Original(), new Original()]
  for (const { id, saved } of [gone, stays]) await documents.append(id, saved)
  await documents.put(gone.id, gone.saved)
  await documents.fold()
  await documents.append(gone.id, gone.change({ a: 1 }))
  let isAcknowledged = false
  const moments: Array<{ copy: string, isAcknowledged: boolean }> = []
  const base = await scratch(t)
  const copy = (): void => {
    moments.push({ copy: copyTo(path.join(base, String(moments.length)), folder), isAcknowledged })
  }
  const { stop } = await onEachOperation(t, async (_operation, run) => {
    copy()
    return await run()
  })
  await documents.remove(gone.id)
  isAcknowledged = true
  await documents.fold()
  await documents.fold()
  stop()
  copy()
  t.ok(moments.length > 8, `${moments.length} moments`)
  const outcomes = new Set<boolean>()
  for (const { copy, isAcknowledged } of moments) {
    const { documents: after, close } = await open(t, { folder: copy })
    const isThere = await after.has(gone.id)
    outcomes.add(isThere)
    if (isThere) {
      t.ok(holds(await after.chunks(gone.id), gone.heads) && !isAcknowledged, 'all of it, and nobody was ' +
      'told that it is deleted')
    } else await t.rejects(after.chunks(gone.id), DELETED)
    t.ok(holds(await after.chunks(stays.id), stays.heads))
    await close()
    t.equal(existsSync(tombstoneOf(copy, gone)), !isThere)
    if (!isThere) t.strictSame(files(copy, gone.id), [0, 0])
  }
  t.strictSame([...outcomes].sort(), [false, true], 'both were seen')
})

t.test('the stock adapter finds nothing of it, and what a stock relay puts there does not bring it back', async t => {
  const { documents, folder, close } = await open(t)
  const original = new Original()
  await documents.append(original.id, original.saved)
  await documents.remove(original.id)
  await close()
  const adapter = new NodeFSStorageAdapter(folder)
  for (const kind of ['snapshot', 'incremental']) t.strictSame(await adapter.loadRange([original.id, kind]), [], kind)
  const repo = new Repo({ storage: adapter })
  await t.rejects(repo.find(`automerge:${original.id}` as AutomergeUrl), /unavailable/)
  place(folder, original.id, 'snapshot', 'stale', original.saved)
  const { documents: again } = await open(t, { folder })
  await t.rejects(again.chunks(original.id), DELETED)
})

t.test('a document that is being compacted is deleted all the same', async t => {
  const { documents, folder } = await open(t)
  const original = new Original()
  await documents.append(original.id, original.saved)
  await documents.fold()
  await documents.put(original.id, original.change({ big: noise(300_000) }))
  const compacting = documents.compact(original.id)
  await documents.remove(original.id)
  await compacting
  await documents.fold()
  t.strictSame(files(folder, original.id), [0, 0])
  t.strictSame(await readdir(path.dirname(path.dirname(tombstoneOf(folder, original)))), ['deleted'])
})

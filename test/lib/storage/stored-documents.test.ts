import t from 'tap'
import { readFileSync, readdirSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import { silent } from '../../../lib/log.ts'
import { FolderReader } from '../../../lib/maintenance/folder-reader.ts'
import { decodeRecords } from '../../../lib/storage/local/journal-record.ts'
import { Repo, type AutomergeUrl } from '@automerge/automerge-repo'
import { MemoryAdapter } from './chunks/memory-adapter.ts'
import { scratch } from '../../scratch.ts'
import { until } from '../../helper.ts'
import { fill, hold, limitFileSize, noMount, noPrlimit, onEachOperation, random, seeds, smallDisk } from './disk.ts'
import { Original, copyTo, files, holds, journalOf, noise, open, stock } from './stored.ts'

const pathOf = (folder: string, { id }: Original) => path.join(folder, id.slice(0, 2), id.slice(2))

t.test('a change is there at once, after a fold, after a close, and for the stock adapter', async t => {
  const { documents, folder, close } = await open(t)
  const original = new Original()
  t.strictSame(await documents.chunks(original.id), [])
  await documents.append(original.id, original.saved)
  await documents.append(original.id, original.change({ a: 1 }))
  t.ok(holds(await documents.chunks(original.id), original.heads))
  t.equal(journalOf(folder).length, 1)
  await documents.fold()
  t.strictSame(journalOf(folder), [])
  t.ok(holds(await documents.chunks(original.id), original.heads))
  await documents.append(original.id, original.change({ b: 1 }))
  await documents.put(original.id, original.saved)
  await close()
  t.strictSame(journalOf(folder), [])
  t.strictSame(Automerge.getHeads(await stock(folder, original.id)), original.heads)
  const { documents: again } = await open(t, { folder })
  t.equal(again.id, documents.id)
  t.ok(holds(await again.chunks(original.id), original.heads))
})

t.test('ids and sizes of what is in the journal and of what is in files', async t => {
  const { documents } = await open(t)
  const originals = Array.from({ length: 6 }, () => new Original()).sort((a, b) => a.id < b.id ? -1 : 1)
  const ids = originals.map(({ id }) => id)
  for (const { id, saved } of originals.slice(0, 3)) await documents.append(id, saved)
  await documents.fold()
  for (const { id, saved } of originals.slice(2)) await documents.append(id, saved)
  t.strictSame(await documents.ids({ limit: 10 }), ids)
  t.strictSame(await documents.ids({ limit: 2, after: ids[1] }), ids.slice(2, 4))
  t.strictSame(await documents.ids({ limit: 2, prefix: ids[4] }), [ids[4]])
  const { length } = originals[0]!.saved
  t.strictSame(await documents.footprint(ids[0]!), { files: 1, bytes: length })
  t.strictSame(await documents.footprint(ids[5]!), { files: 0, bytes: length })
})

t.test('nothing is taken after the close, and what adds nothing leaves nothing', async t => {
  const { documents, folder, close } = await open(t)
  const original = new Original()
  await documents.append(original.id, new Uint8Array())
  await close()
  await t.rejects(documents.append(original.id, original.saved), { code: 'RELAY_CLOSING' })
  await t.rejects(documents.put(original.id, original.saved), { code: 'RELAY_CLOSING' })
  t.strictSame(files(folder, original.id), [0, 0])
  t.strictSame(journalOf(folder), [])
})

t.test('one relay per folder; who did not get it leaves no trace', async t => {
  const { folder, close } = await open(t)
  const before = await readdir(folder, { recursive: true })
  await t.rejects(open(t, { folder }), { code: 'RELAY_STORAGE_FAILED', message: /in use/ })
  t.strictSame(await readdir(folder, { recursive: true }), before)
  await close()
  const file = path.join(folder, 'journal')
  await rename(file, `${file}.away`)
  await writeFile(file, '')
  await t.rejects(open(t, { folder }), { code: 'RELAY_STORAGE_FAILED', message: new RegExp(file) })
  await rename(`${file}.away`, `${file}.away.too`)
  await rename(file, `${file}.away`)
  await open(t, { folder })
})

for (const seed of seeds(3)) {
  t.test(`whenever it is read, all that was appended is there (seed ${seed})`, async t => {
    const below = random(seed)
    const { documents, folder, close } = await open(t, { durability: seed % 2 === 0 ? 'write' : 'fsync' })
    const originals = [new Original(), new Original(), new Original()]
    const { stop } = await onEachOperation(t, async (_, run) => {
      for (let waits = below(3); waits > 0; waits--) await new Promise(setImmediate)
      return await run()
    })
    const under: Array<Promise<void>> = []
    const missing: string[] = []
    for (const original of originals) under.push(documents.append(original.id, original.saved))
    for (let n = 0; n < 400; n++) {
      const original = originals[below(originals.length)]!
      const { id } = original
      switch (below(8)) {
        case 0: under.push(documents.fold()); break
        case 1: await under[below(under.length)]; break
        case 2: {
          const { heads } = original
          under.push(documents.chunks(id).then(chunks => { if (!holds(chunks, heads)) missing.push(`${n}: ${id}`) }))
          break
        }
        case 3: {
          const changes = original.changeAtOnce({ [`k${below(9)}`]: n }, { [`k${below(9)}`]: -n })
          under.push(documents.append(id, changes))
          break
        }
        case 4: if (below(4) === 0) {
          await documents.put(id, below(2) === 0 ? original.saved : original.change({ put: n }))
        } break
        default: under.push(documents.append(id, original.change({ [`k${below(9)}`]: n })))
      }
    }
    await Promise.all(under)
    t.strictSame(missing, [])
    stop()
    await close()
    for (const original of originals) {
      t.ok(files(folder, original.id)[0] < 30, 'it has been compacted')
      const found = await stock(folder, original.id)
      t.strictSame(Automerge.getHeads(found), original.heads)
      t.strictSame(Automerge.toJS(found), Automerge.toJS(original.doc))
    }
  })
}

t.test('a killed relay’s journal is there at once, and folded in the background', async t => {
  const { documents, folder } = await open(t)
  const originals = Array.from({ length: 40 }, () => new Original())
  await Promise.all(originals.map(({ id, saved }) => documents.append(id, saved)))
  const left = copyTo(path.join(await scratch(t), 'left'), folder)
  const { documents: next } = await open(t, { folder: left })
  for (const { id, heads } of originals) t.ok(holds(await next.chunks(id), heads))
  await until(() => journalOf(left).length === 0)
  for (const { id } of originals) t.strictSame(files(left, id), [1, 0])
})

t.test('a document that cannot be written keeps no other from its files', async t => {
  const errors: string[] = []
  const { documents, folder, close } = await open(t)
  const [bad, good] = [new Original(), new Original()]
  await mkdir(path.dirname(pathOf(folder, bad)), { recursive: true })
  await writeFile(pathOf(folder, bad), 'a file where a folder should be')
  await documents.append(bad.id, bad.saved)
  await documents.append(good.id, good.saved)
  await t.rejects(documents.fold(), { code: 'RELAY_STORAGE_FAILED', message: new RegExp(bad.id.slice(2)) })
  t.match(documents.failure, { code: 'RELAY_STORAGE_FAILED' })
  t.ok(documents.backlog >= bad.saved.length)
  t.strictSame(files(folder, good.id), [1, 0])
  t.equal(journalOf(folder).length, 1, 'it is still in the journal')
  await documents.append(bad.id, bad.change({ a: 1 }))
  await t.rejects(documents.fold(), { code: 'RELAY_STORAGE_FAILED' })

  const left = copyTo(path.join(await scratch(t), 'left'), folder)
  const next = await open(t, { folder: left, log: { ...silent, error: (_, message) => { errors.push(message) } } })
  await until(() => errors.some(message => message.startsWith('journal not folded')))
  t.ok(holds(await next.documents.chunks(good.id), good.heads))
  await t.rejects(next.close(), { code: 'RELAY_STORAGE_FAILED' })
  t.ok(journalOf(left).length > 0)

  await rm(pathOf(folder, bad))
  await documents.fold()
  t.equal(documents.failure, undefined)
  t.equal(documents.backlog, 0)
  await close()
  t.strictSame(Automerge.getHeads(await stock(folder, bad.id)), bad.heads)
})

t.test('what is put is stored after what was appended before', async t => {
  const { documents, folder } = await open(t)
  const [original, other] = [new Original(), new Original()]
  const { held, release } = await hold(t, 'handle.write', 'handle.datasync')
  const appending = documents.append(original.id, original.saved)
  await until(() => held() === 1)
  const putting = documents.put(original.id, original.change({ depends: true }))
  const apart = documents.put(other.id, other.saved)
  await until(() => held() === 2)
  t.strictSame([files(folder, original.id), files(folder, other.id)], [[0, 0], [0, 0]])
  release()
  await Promise.all([appending, putting, apart])
  t.strictSame([files(folder, original.id), files(folder, other.id)], [[0, 1], [0, 1]])
  t.ok(holds(await documents.chunks(original.id), original.heads))
})

t.test('the journal has a record of what is put, and keeps it no longer than of what is appended', async t => {
  const { documents, folder } = await open(t)
  const original = new Original()
  await documents.put(original.id, original.saved)
  const [segment] = journalOf(folder)
  const { records } = decodeRecords(readFileSync(path.join(folder, 'journal', segment!)))
  const [chunk] = readdirSync(path.join(pathOf(folder, original), 'snapshot'))
  t.strictSame(records.map(({ id, changes, chunk }) => [id, changes.length, chunk]), [[original.id, 0, chunk]])

  const copy = copyTo(path.join(await scratch(t), 'copy'), folder)
  const reader = new FolderReader(copy)
  t.match(await reader.read(original.id), {
    files: [{ key: [original.id, 'snapshot', chunk] }], pending: [], isDeleted: false
  })
  const next = await open(t, { folder: copy })
  t.ok(holds(await next.documents.chunks(original.id), original.heads), 'it is no deletion')
  await next.documents.fold()
  t.strictSame([journalOf(copy), files(copy, original.id)], [[], [0, 1]])
  await documents.fold()
  t.strictSame(journalOf(folder), [])
})

t.test('what is put while the folder is taken is not acknowledged', async t => {
  const { documents, folder } = await open(t)
  const original = new Original()
  const { stop } = await onEachOperation(t, async ({ name }, run) => {
    const result = await run()
    if (name === 'rename') await rm(path.join(folder, 'lock.d'), { recursive: true })
    return result
  })
  await t.rejects(documents.put(original.id, original.saved), { code: 'RELAY_STORAGE_LOST' })
  stop()
  t.strictSame(files(folder, original.id), [0, 1], 'it was written')
})

t.test('chunks in an adapter that fails for a while: edits go on, and are in it when it is well', async t => {
  const adapter = new MemoryAdapter()
  const { documents, folder, close } = await open(t, { adapter })
  const [original, other] = [new Original(), new Original()]
  await documents.append(original.id, original.saved)
  const save = adapter.save.bind(adapter)
  adapter.save = async () => { throw new Error('the database is down') }
  await documents.append(original.id, original.change({ a: 1 }))
  await t.rejects(documents.fold(), { code: 'RELAY_STORAGE_FAILED', message: /the database is down/ })
  t.match(documents.failure, { code: 'RELAY_STORAGE_FAILED' })
  t.ok(documents.backlog > 0)
  await t.rejects(documents.probe(), { code: 'RELAY_STORAGE_FAILED' })
  await t.rejects(documents.put(other.id, other.saved), { code: 'RELAY_STORAGE_FAILED' })
  await documents.append(original.id, original.change({ b: 2 }))
  t.ok(holds(await documents.chunks(original.id), original.heads))
  t.equal(journalOf(folder).length > 0, true)
  adapter.save = save
  await documents.fold()
  t.strictSame([documents.failure, documents.backlog, journalOf(folder)], [undefined, 0, []])
  await close()
  const repo = new Repo({ storage: adapter })
  const found = await repo.find(`automerge:${original.id}` as AutomergeUrl)
  t.strictSame(Automerge.getHeads(found.doc()), original.heads, 'as automerge-repo reads it')
  t.strictSame(readdirSync(folder).sort(), ['journal', 'lock.d', 'tmp'], 'in the folder is nothing of it')
})

t.test('killed while an adapter saves that does not do it at once: the next relay has all from the ' +
  'journal', async t => {
  const adapter = new MemoryAdapter()
  const { documents, folder } = await open(t, { adapter })
  const original = new Original()
  await documents.append(original.id, original.saved)
  await documents.append(original.id, original.change({ text: 'x'.repeat(500) }))
  const save = adapter.save.bind(adapter)
  adapter.save = async (key, data) => {
    await save(key, data.subarray(0, data.length / 2))
    throw new Error('here it was killed')
  }
  await t.rejects(documents.fold(), { code: 'RELAY_STORAGE_FAILED' })
  adapter.save = save
  const left = new MemoryAdapter()
  for (const [name, stored] of adapter.stored) left.stored.set(name, stored)
  const next = await open(t, { folder: copyTo(path.join(await scratch(t), 'copy'), folder), adapter: left })
  t.ok(holds(await next.documents.chunks(original.id), original.heads))
  await next.documents.fold()
  t.ok(holds(await next.documents.chunks(original.id), original.heads))
  t.strictSame(journalOf(next.folder), [])
  t.match(next.documents.damage.of(original.id), /cut short/, 'what was left of the save is told of')
})

t.test('a full disk: nothing is acknowledged, what was is there, and all is well when space returns', {
  skip: noMount
}, async t => {
  const disk = await smallDisk(t, 4 * 2 ** 20)
  const { documents, folder, close } = await open(t, { folder: path.join(disk, 'storage') })
  const original = new Original()
  await documents.append(original.id, original.saved)
  const acknowledged = original.heads
  const { free } = await fill(disk, 50_000)
  let isDone = false
  const appending = documents.append(original.id, original.change({ large: noise(150_000) })).then(() => {
    isDone = true
  })
  await until(() => documents.failure !== undefined)
  t.match(documents.failure, { code: 'ENOSPC' })
  t.ok(documents.backlog > 100_000)
  const other = new Original()
  other.change({ large: noise(150_000) })
  await t.rejects(documents.put(other.id, other.saved), { code: 'RELAY_STORAGE_FAILED', message: /ENOSPC/ })
  t.notOk(isDone)
  await t.rejects(documents.fold(), { code: 'RELAY_STORAGE_FAILED', message: /ENOSPC/ })
  t.ok(holds(await documents.chunks(original.id), acknowledged))
  await free(2 ** 20)
  await appending
  await documents.fold()
  t.equal(documents.failure, undefined)
  await close()
  t.strictSame(Automerge.getHeads(await stock(folder, original.id)), original.heads)
})

t.test('closed while the disk fails: it says so, and what was acknowledged is in the journal', {
  skip: noPrlimit
}, async t => {
  const { documents, folder, close } = await open(t)
  const original = new Original()
  await documents.append(original.id, original.saved)
  const acknowledged = original.heads
  const { lift } = limitFileSize(t, 1)
  const waiting = t.rejects(documents.append(original.id, original.change({ a: 1 })), { code: 'RELAY_STORAGE_FAILED' })
  await until(() => documents.failure !== undefined)
  await t.rejects(close(), { code: 'RELAY_STORAGE_FAILED', message: /EFBIG/ })
  await waiting
  lift()
  const next = await open(t, { folder })
  t.ok(holds(await next.documents.chunks(original.id), acknowledged))
  await next.close()
  t.ok(Automerge.hasHeads(await stock(folder, original.id), acknowledged))
})

t.test('closed while only the journal fails: all of it is in the files, so nothing is wrong', async t => {
  const { documents, folder, close } = await open(t)
  const original = new Original()
  await documents.append(original.id, original.saved)
  await documents.fold()
  await rm(path.join(folder, 'journal'), { recursive: true })
  await writeFile(path.join(folder, 'journal'), '')
  const waiting = documents.append(original.id, original.change({ a: 1 })).catch(error => error)
  await until(() => documents.failure !== undefined)
  await close()
  t.match(await waiting, { code: 'RELAY_STORAGE_FAILED' })
  t.strictSame(Automerge.getHeads(await stock(folder, original.id)), original.heads)
})

import t, { type Test } from 'tap'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { DocumentId } from '../../../../lib/ids.ts'
import { RelayError } from '../../../../lib/errors.ts'
import { silent, type Log } from '../../../../lib/log.ts'
import { encodeRecord } from '../../../../lib/storage/local/journal-record.ts'
import { Journal, type Durability, type JournalOptions } from '../../../../lib/storage/local/journal.ts'
import { scratch } from '../../../scratch.ts'
import { until } from '../../../helper.ts'
import {
  fill, hold, limitFileSize, noMount, noPrlimit, onEachOperation, random, seeds, smallDisk, systemError
} from '../disk.ts'

const id = '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ' as DocumentId
const record = (text: string) => ({ id, changes: Buffer.from(text) })

async function open (
  t: Test,
  { folder = '', durability = 'fsync' as Durability, log = silent as Log, ...options }: Partial<JournalOptions> = {}
) {
  folder ||= path.join(await scratch(t), 'journal')
  const journal = new Journal({ folder, durability, log, ...options })
  const left: string[] = []
  await journal.open(({ changes }) => { left.push(String(Buffer.from(changes))) })
  t.teardown(async () => { await journal.close().catch(() => {}) }) // of those that are left with a broken disk
  return { journal, folder, left }
}

/** Ends the segment; the way to say that all until now is safe elsewhere. */
async function cut (journal: Journal): Promise<() => Promise<void>> {
  const upTo = await journal.cut()
  return async () => { await journal.settled(upTo) }
}

/** What the next process would find. */
const replay = async (t: Test, folder: string) => (await open(t, { folder })).left

/** Appends, and tells which are acknowledged. */
function appender (journal: Journal) {
  const acknowledged: string[] = []
  return {
    acknowledged,
    append: (text: string) => journal.append(record(text)).then(() => {
      acknowledged.push(text)
    })
  }
}

t.test('what was appended is read again, in its order, and nothing is deleted by reading', async t => {
  const { journal, folder, left } = await open(t)
  t.strictSame(left, [])
  for (const text of ['a', 'b', 'c']) await journal.append(record(text))
  await journal.close()
  t.strictSame(await replay(t, folder), ['a', 'b', 'c'])
  t.strictSame(await replay(t, folder), ['a', 'b', 'c'])
})

t.test('appends during a write go into the next one, together', async t => {
  const { journal, folder } = await open(t)
  await journal.append(record('first')) // makes the segment
  const names: string[] = []
  const { held, release } = await hold(t, 'handle.write')
  await onEachOperation(t, async ({ name }, run) => { names.push(name); return await run() })
  const { acknowledged, append } = appender(journal)
  const all = [append('a')]
  await until(() => held() === 1)
  all.push(append('b'), append('c'), append('d'))
  t.strictSame(acknowledged, [])
  t.ok(journal.backlog > 0)
  release()
  await Promise.all(all)
  t.strictSame(names, ['handle.write', 'handle.write'])
  t.strictSame(acknowledged, ['a', 'b', 'c', 'd'])
  t.equal(journal.backlog, 0)
  t.strictSame(await replay(t, folder), ['first', 'a', 'b', 'c', 'd'])
})

t.test('durability write is done when it is written, none at once', async t => {
  const written = await open(t, { durability: 'write' })
  const taken = await open(t, { durability: 'none' })
  const names: string[] = []
  await onEachOperation(t, async ({ name }, run) => { names.push(name); return await run() })
  await written.journal.append(record('a'))
  t.ok(names.includes('handle.write'))
  t.strictSame(await replay(t, written.folder), ['a'])
  const { held, release } = await hold(t, 'handle.write')
  await taken.journal.append(record('b'))
  await until(() => held() === 1)
  t.ok(taken.journal.backlog > 0, 'it waits to be written all the same')
  release()
  await taken.journal.close()
  t.strictSame(await replay(t, taken.folder), ['b'])
  t.notOk(names.includes('handle.datasync'))

  const { journal } = await open(t, { writesSync: false })
  await journal.append(record('c'))
  t.strictSame(names.slice(-2), ['handle.write', 'handle.datasync'], 'where writes do not sync, a sync follows each')
})

t.test('cut: what was written before is deleted when told, what comes after never is', async t => {
  const { journal, folder } = await open(t)
  const deleteNone = await cut(journal)
  await deleteNone()
  await journal.append(record('a'))
  const first = await cut(journal)
  t.equal(journal.size, 0)
  await journal.append(record('b'))
  t.ok(journal.size > 0)
  t.strictSame(await replay(t, folder), ['a', 'b'])
  const second = await cut(journal) // the first was not used: its fold failed
  await journal.append(record('c'))
  await second()
  await first()
  await journal.append(record('d'))
  t.strictSame(await replay(t, folder), ['c', 'd'])
  t.equal((await readdir(folder)).length, 1)
})

for (const seed of seeds(2)) {
  t.test(`cuts while appends are under way lose nothing (seed ${seed})`, async t => {
    const below = random(seed)
    const { journal, folder } = await open(t)
    const { acknowledged, append } = appender(journal)
    const appended: string[] = []
    const safe = new Set<string>()
    const appending: Array<Promise<void>> = []
    for (let n = 0; n < 150; n++) {
      for (let some = below(4); some > 0; some--) {
        const text = `${n}.${some}`
        appended.push(text)
        appending.push(append(text))
      }
      if (below(3) === 0) await appending.at(-1)
      if (below(8) === 0) {
        const deleteEnded = await cut(journal)
        for (const text of appended) safe.add(text) // as a fold has all of these
        if (below(3) > 0) await deleteEnded()
        const sure = [...acknowledged]
        const there = new Set([...safe, ...await replay(t, folder)])
        t.strictSame(sure.filter(text => !there.has(text)), [])
      }
    }
    await Promise.all(appending)
    t.equal(acknowledged.length, appended.length)
    const end = [...await replay(t, folder)]
    t.strictSame(appended.filter(text => !safe.has(text) && !end.includes(text)), [])
  })
}

t.test('records have rising positions, and up to any of them no more is let go of than was said', async t => {
  const { journal, folder } = await open(t)
  const positions = await Promise.all(['a', 'b', 'c'].map(text => journal.append(record(text))))
  t.strictSame(positions, [1, 2, 3])
  await journal.settled(positions[2]!)
  t.strictSame(await replay(t, folder), ['a', 'b', 'c'], 'a segment goes when it has ended')
  t.equal(await journal.cut(), 3)
  await journal.append(record('d'))
  await journal.cut()
  await journal.settled(2)
  t.strictSame(await replay(t, folder), ['a', 'b', 'c', 'd'], 'and only as a whole')
  await journal.settled(3)
  t.strictSame(await replay(t, folder), ['d'])
  await journal.close()
  const next = await open(t, { folder })
  t.equal(await next.journal.append(record('e')), 2)
  await next.journal.settled(1)
  t.strictSame(await replay(t, folder), ['e'], 'what an earlier process left, too')
})

t.test('several segments with torn ends are read up to there, and a new one is begun', async t => {
  const folder = await scratch(t)
  const [a, b, c] = ['a', 'b', 'c'].map(text => encodeRecord(record(text))) as [Buffer, Buffer, Buffer]
  await writeFile(path.join(folder, '000000000003.log'), Buffer.concat([a, b.subarray(0, 20)]))
  await writeFile(path.join(folder, '000000000007.log'), Buffer.concat([b, Buffer.alloc(10)]))
  await writeFile(path.join(folder, '000000000008.log'), '')
  await writeFile(path.join(folder, '000000000010.log'), Buffer.concat([c, a.subarray(0, 3)]))
  await writeFile(path.join(folder, 'README'), 'not ours')
  const warnings: object[] = []
  const { journal, left } = await open(t, { folder, log: { ...silent, warn: fields => { warnings.push(fields) } } })
  t.strictSame(left, ['a', 'b', 'c'])
  t.match(warnings, [{ segment: 3, records: 1, bytes: 20 }, { segment: 7, records: 1, bytes: 10 }, {
    segment: 10, records: 1, bytes: 3
  }])
  await journal.append(record('d'))
  t.ok((await readdir(folder)).includes('000000000011.log'))
  t.strictSame(await replay(t, folder), ['a', 'b', 'c', 'd'])
  await (await cut(journal))()
  t.strictSame(await readdir(folder), ['README'])
})

t.test('what is damaged, not torn, is kept aside', async t => {
  const { journal, folder } = await open(t)
  for (const text of ['a', 'b', 'c']) await journal.append(record(text))
  await journal.close()
  const file = path.join(folder, '000000000001.log')
  const bytes = await readFile(file)
  bytes[bytes.length / 3 + 20]! ^= 1
  await writeFile(file, bytes)
  for (let times = 2; times > 0; times--) {
    const errors: string[] = []
    const { left } = await open(t, { folder, log: { ...silent, error: (_, message) => { errors.push(message) } } })
    t.strictSame(left, ['a'])
    t.match(errors, [/is damaged; from there on it is kept in .*000000000001\.log\.damaged/])
  }
  await (await cut((await open(t, { folder })).journal))()
  t.strictSame(await readdir(folder), ['000000000001.log.damaged'])
  t.ok((await readFile(`${file}.damaged`)).equals(bytes.subarray(bytes.length / 3)))
})

t.test('a disk that takes no more in the middle of a write: nothing is acknowledged until it does', {
  skip: noPrlimit
}, async t => {
  const { journal, folder } = await open(t)
  const { acknowledged, append } = appender(journal)
  await append('before')
  const { lift } = limitFileSize(t, (await readFile(path.join(folder, '000000000001.log'))).length + 30)
  const all = [append('x'.repeat(100)), append('y')]
  await until(() => journal.failure !== undefined)
  all.push(append('z'))
  t.match(journal.failure, { code: 'EFBIG' })
  t.strictSame(acknowledged, ['before'])
  t.strictSame(await replay(t, folder), ['before'], 'and nothing torn is left')
  lift()
  await Promise.all(all)
  t.strictSame(acknowledged, ['before', 'x'.repeat(100), 'y', 'z'])
  t.equal(journal.failure, undefined)
  t.equal(journal.backlog, 0)
  t.strictSame(await replay(t, folder), acknowledged)
})

t.test('a full disk: tries do not use up the space that comes free', { skip: noMount }, async t => {
  const disk = await smallDisk(t, 2 ** 20)
  const { journal, folder } = await open(t, { folder: path.join(disk, 'journal') })
  const { acknowledged, append } = appender(journal)
  await append('before')
  const { free } = await fill(disk, 100_000)
  const large = 'x'.repeat(300_000)
  let tries = 0
  await onEachOperation(t, async ({ name }, run) => { if (name === 'handle.write') tries++; return await run() })
  const appending = append(large)
  await until(() => tries >= 3)
  t.match(journal.failure, { code: 'ENOSPC' })
  t.strictSame(acknowledged, ['before'])
  await free(100_000)
  const so = tries
  await until(() => tries >= so + 2)
  t.strictSame(acknowledged, ['before'])
  await free(150_000)
  await appending
  t.strictSame(await replay(t, folder), ['before', large])
})

t.test('every operation may fail once, and every other one from then on for a while: all is written in the end, once ' +
  'acknowledged', async t => {
  const run = async (t: Test, fails: (n: number) => boolean) => {
    const { journal, folder } = await open(t)
    let operations = 0
    const { stop } = await onEachOperation(t, async ({ name }, run) => {
      if (!fails(operations++)) return await run()
      if (name === 'handle.write') await writeFile(path.join(folder, '000000000001.log'), 'torn', { flag: 'a' })
      throw systemError('EIO')
    })
    const { acknowledged, append } = appender(journal)
    const appending = [append('a')]
    await appending[0]
    appending.push(append('b'), append('c'))
    const deleteEnded = await cut(journal)
    appending.push(append('d'))
    await Promise.all(appending)
    stop()
    t.strictSame(acknowledged, ['a', 'b', 'c', 'd'])
    const there = await replay(t, folder)
    t.strictSame(acknowledged.filter(text => !there.includes(text)), [])
    await deleteEnded()
    t.strictSame((await replay(t, folder)).at(-1), 'd')
    return operations
  }
  const operations = await run(t, () => false)
  t.ok(operations > 8)
  for (let failing = 0; failing < operations; failing++) {
    await t.test(`number ${failing}`, async t => { await run(t, n => n === failing) })
  }
  for (let from = 0; from < 3; from++) {
    await t.test(`from ${from}`, async t => { await run(t, n => n >= from && n < from + 6 && n % 2 === from % 2) })
  }
})

t.test('a folder that is cleared away is made again', async t => {
  const { journal, folder } = await open(t)
  await journal.append(record('a'))
  await (await cut(journal))()
  await rm(folder, { recursive: true })
  await journal.append(record('b'))
  t.strictSame(await replay(t, folder), ['b'])
  await rm(folder, { recursive: true }) // with the segment that is written to: the next one is there again
  await (await cut(journal))()
  await journal.append(record('c'))
  t.strictSame(await replay(t, folder), ['c'])
})

t.test('a file where the folder should be', async t => {
  const { journal, folder } = await open(t)
  const { acknowledged, append } = appender(journal)
  await rm(folder, { recursive: true })
  await writeFile(folder, '')
  const appending = append('a')
  await until(() => journal.failure !== undefined)
  t.strictSame(acknowledged, [])
  await t.rejects(open(t, { folder }), { code: 'RELAY_STORAGE_FAILED', message: new RegExp(folder) })
  await rename(folder, `${folder}-file`)
  await appending
  t.strictSame(await replay(t, folder), ['a'])
})

t.test('a segment of somebody else is left alone', async t => {
  const { journal, folder } = await open(t)
  const theirs = path.join(folder, '000000000001.log')
  await writeFile(theirs, 'theirs')
  await journal.append(record('a'))
  t.strictSame(await replay(t, folder), ['a'])
  await (await cut(journal))()
  t.strictSame(await readdir(folder), ['000000000001.log'])
  t.equal(await readFile(theirs, 'utf8'), 'theirs')
})

t.test('closed while the disk fails: who waits is told, and what was acknowledged stays', {
  skip: noPrlimit
}, async t => {
  const { journal, folder } = await open(t)
  await journal.append(record('before'))
  const { lift } = limitFileSize(t, 1)
  const waiting = t.rejects(journal.append(record('x')), { code: 'RELAY_STORAGE_FAILED' })
  await until(() => journal.failure !== undefined)
  await t.rejects(journal.close(), { code: 'RELAY_STORAGE_FAILED', message: /journal .*EFBIG/ })
  await waiting
  lift()
  t.strictSame(await replay(t, folder), ['before'])
})

t.test('closed when the disk is well again, without waiting for the next try', { skip: noPrlimit }, async t => {
  const { journal, folder } = await open(t)
  const { lift } = limitFileSize(t, 1)
  const appending = journal.append(record('x'))
  await until(() => journal.failure !== undefined)
  lift()
  await journal.close()
  await appending
  t.strictSame(await replay(t, folder), ['x'])
})

/** A folder that is somebody else's as soon as it is said. */
function fence (token = 1) {
  const loss = new RelayError('RELAY_STORAGE_LOST', 'taken')
  let isLost = false
  return { token, take () { isLost = true }, async check () { if (isLost) throw loss } }
}

const LOST = { code: 'RELAY_STORAGE_LOST' }

t.test('a folder that is another’s by now gets no more records, and none is tried again', async t => {
  for (const durability of ['fsync', 'write'] as const) {
    const taken = fence()
    const { journal, folder } = await open(t, { durability, fence: taken })
    await journal.append(record('a'))
    const deleteEnded = await cut(journal)
    await journal.append(record('b'))
    taken.take()
    await t.rejects(journal.append(record('c')), LOST)
    t.match(journal.failure, LOST)
    t.equal(journal.backlog, 0)
    const names: string[] = []
    const { stop } = await onEachOperation(t, async ({ name }, run) => { names.push(name); return await run() })
    await t.rejects(journal.append(record('d')), LOST)
    await t.rejects(deleteEnded(), LOST)
    await t.rejects((await cut(journal))(), LOST)
    await journal.close()
    stop()
    t.strictSame(names, [])
    t.strictSame(await replay(t, folder), ['a', 'b'])
  }
})

t.test('what is written while the folder is taken is not acknowledged', async t => {
  const taken = fence()
  const { journal } = await open(t, { fence: taken })
  await journal.append(record('a'))
  const { held, release } = await hold(t, 'handle.write')
  const { acknowledged, append } = appender(journal)
  const all = [append('b')]
  await until(() => held() === 1)
  all.push(append('c'))
  taken.take()
  release()
  for (const result of await Promise.allSettled(all)) t.match(result, { status: 'rejected', reason: LOST })
  t.strictSame(acknowledged, [])
})

t.test('no process uses the name of another’s segment again, though that is gone', async t => {
  const first = await open(t, { fence: fence(1) })
  await first.journal.append(record('a'))
  const [name] = await readdir(first.folder)
  await (await cut(first.journal))()
  t.strictSame(await readdir(first.folder), [])
  const second = await open(t, { folder: first.folder, fence: fence(2) })
  await second.journal.append(record('b'))
  t.strictSame(await readdir(first.folder), ['000002000001.log'])
  t.equal(name, '000001000001.log')
  const last = await open(t, { folder: first.folder, fence: fence(1_000_000) })
  await last.journal.append(record('c'))
  t.strictSame(await replay(t, first.folder), ['b', 'c'], 'in their order, when the numbers get longer, too')
})

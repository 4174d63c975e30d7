import { execFileSync } from 'node:child_process'
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import t, { type Test } from 'tap'
import { eventOf } from '../../../../lib/feed/event.ts'
import type { Position } from '../../../../lib/feed/position.ts'
import type { FeedRecord } from '../../../../lib/feed/sinks/sink.ts'
import { readManifest } from '../../../../lib/feed/store/manifest.ts'
import { isSound } from '../../../../lib/feed/store/sqlite.ts'
import { RecordStore, type StoreOptions } from '../../../../lib/feed/store/store.ts'
import { silent } from '../../../../lib/log.ts'
import { scratch } from '../../../scratch.ts'
import { invent } from '../network.ts'

const MiB = 1024 * 1024

const open = async (t: Test, folder: string, options: Partial<StoreOptions> = {}): Promise<RecordStore> => {
  const store = await RecordStore.open({
    folder,
    durability: 'fsync',
    log: silent,
    rotateAfter: 900_000,
    rotateBytes: 256 * MiB,
    keepFor: 1e9,
    keepBytes: 1e12,
    gaps: () => [],
    ...options
  })
  t.teardown(async () => { await store.close() })
  return store
}

const record = (number: number, given: Parameters<typeof invent>[0] = {}): FeedRecord => ({
  number,
  event: eventOf(invent({ time_us: number * 1_000_000, ...given })),
  hydration: {
    references: [{ role: 'author', id: 'did:plc:a', text: '{"did":"did:plc:a","handle":"a.test"}' }, {
      role: 'quote', id: 'at://x', text: null
    }],
    visibility: 'public',
    partial: true,
    at: 5
  }
})

const at = (number: number): Position =>
  ({ host: 'wss://a', wire: 'v1', cursor: number * 1_000_000, timeUs: number * 1_000_000 })

async function fill (
  store: RecordStore, from: number, to: number, given: Parameters<typeof invent>[0] = {}
): Promise<FeedRecord[]> {
  const records = Array.from({ length: to - from + 1 }, (_, n) => record(from + n, given))
  await store.append(records, at(to))
  return records
}

t.test('what was appended is there after the process ends, once, with where the stream stood', async t => {
  const folder = await scratch(t)
  const store = await open(t, folder)
  const records = await fill(store, 1, 10)
  t.equal(store.lastNumber, 10)
  await store.append(records.slice(5), at(10))
  await store.close()
  const again = await open(t, folder)
  t.equal(again.lastNumber, 10)
  t.strictSame(again.position, at(10))
  t.strictSame((await again.rows.records(0, 100)).records, records)
  t.strictSame((await again.rows.page(3, 2)).rows.map(([id]) => id), [4, 5])
})

t.test('files are sealed, read across, and touch', async t => {
  const folder = await scratch(t)
  const store = await open(t, folder)
  for (let n = 0; n < 3; n++) {
    await fill(store, n * 100 + 1, n * 100 + 100)
    await store.seal()
  }
  await fill(store, 301, 310)
  const files = (await readdir(folder)).filter(name => name.endsWith('.db')).sort()
  t.equal(files.length, 4)
  const manifests =
    await Promise.all(files.slice(0, 3).map(async file => (await readManifest(path.join(folder, `${file}.json`)))!))
  t.match(manifests, [
    { rows: 100, firstNumber: 1, lastNumber: 100, from: null, to: at(100), gaps: [] },
    { rows: 100, firstNumber: 101, lastNumber: 200, from: at(100), to: at(200) },
    { rows: 100, firstNumber: 201, lastNumber: 300, from: at(200), to: at(300) }
  ])
  const seen: number[] = []
  for (let after = 0; after < 310;) {
    const { rows, next } = await store.rows.page(after, 37)
    seen.push(...rows.map(([id]) => id))
    after = next
  }
  t.strictSame(seen, Array.from({ length: 310 }, (_, n) => n + 1))
  t.strictSame(
    (await readdir(folder)).filter(name => name.startsWith(files[0]!.slice(0, -3))),
    [files[0], `${files[0]!}.json`],
    'a sealed file is all of it'
  )
})

t.test('a page is filtered', async t => {
  const store = await open(t, await scratch(t))
  await store.append([
    record(1, { collection: 'app.bsky.feed.post', did: 'did:plc:a' }),
    record(2, { collection: 'app.bsky.feed.like', did: 'did:plc:b' }),
    record(3, { kind: 'account', did: 'did:plc:a' }),
    record(4, { collection: 'app.bsky.graph.follow', did: 'did:plc:c' })
  ], at(4))
  const ids = async (filter: Parameters<typeof store.rows.page>[2]): Promise<number[]> =>
    (await store.rows.page(0, 10, filter)).rows.map(([id]) => id)
  t.strictSame(await ids({ collections: ['app.bsky.feed.*'] }), [1, 2, 3], 'collections hold for commits only')
  t.strictSame(await ids({ collections: ['app.bsky.feed.post'], kinds: ['commit'] }), [1])
  t.strictSame(await ids({ dids: ['did:plc:a'] }), [1, 3])
  t.strictSame(await ids({ visibilities: ['hidden'] }), [])
  t.equal((await store.rows.page(0, 10, { dids: ['did:plc:none'] })).next, 4, 'nothing found is still gone past')
})

t.test('repeats are found by identity, in every file', async t => {
  const store = await open(t, await scratch(t))
  const records = [...await fill(store, 1, 20), ...await fill(store, 21, 22, { kind: 'account' })]
  await store.seal()
  records.push(...await fill(store, 23, 30), ...await fill(store, 31, 32, { kind: 'identity' }))
  const fresh = [record(33), record(34, { kind: 'account' })]
  t.strictSame(await store.rows.known([...records, ...fresh].map(({ event }) => event)), [
    ...records.map(() => true), false, false
  ])
  const ids: string[] = []
  for await (const { id } of store.rows.identities(1_000, () => 0)) ids.push(id)
  t.strictSame(ids, records.map(({ event }) => event.id).reverse())
})

t.test('numbers never go back, and readers never go ahead, between two files', async t => {
  const store = await open(t, await scratch(t), { rotateBytes: 1 })
  await fill(store, 1, 10)
  t.equal(store.lastNumber, 10)
  t.strictSame(await store.rows.page(10, 5), { rows: [], next: 10 })
  await store.seal()
  t.strictSame(await store.rows.page(10, 5), { rows: [], next: 10 })
  t.equal(store.lastNumber, 10)
})

t.test('a start after a file was begun, and nothing written to it, goes on after the last number', async t => {
  const folder = await scratch(t)
  const store = await open(t, folder)
  await fill(store, 1, 10)
  await store.close()
  const [name] = (await readdir(folder)).filter(name => name.endsWith('.open.db'))
  await writeFile(path.join(folder, name!.replace(/\d{15}/, '000000000000011')), '')
  const again = await open(t, folder)
  t.equal(again.lastNumber, 10)
  t.strictSame((await again.rows.page(0, 100)).rows.map(([id]) => id), Array.from({ length: 10 }, (_, n) => n + 1))
  await fill(again, 11, 12)
  t.strictSame((await again.rows.page(10, 100)).rows.map(([id]) => id), [11, 12])
})

t.test('identities are read on although files are sealed meanwhile', async t => {
  const store = await open(t, await scratch(t), { rotateBytes: 1 })
  const records = [...await fill(store, 1, 5), ...await fill(store, 6, 10), ...await fill(store, 11, 15)]
  const ids: string[] = []
  for await (const { id } of store.rows.identities(1_000, () => 0)) {
    if (ids.length === 0) await store.seal()
    ids.push(id)
  }
  t.strictSame(ids, records.map(({ event }) => event.id).reverse())
})

t.test('the oldest files go when they are too many bytes or too old, unless they are still needed', async t => {
  const folder = await scratch(t)
  let dropable = 0
  const store = await open(t, folder, { keepBytes: 1, mayDrop: ({ firstNumber }) => firstNumber === dropable })
  await fill(store, 1, 10)
  await store.seal()
  await fill(store, 11, 20)
  await store.seal()
  t.equal(store.firstNumber, 1)
  dropable = 1
  await store.drop()
  t.equal(store.firstNumber, 11)
  t.equal(store.dropped, 10)
  t.strictSame((await store.rows.page(0, 100)).rows.map(([id]) => id), Array.from({ length: 10 }, (_, n) => n + 11))
  t.equal((await readdir(folder)).length, 2)
  await store.close()
  const old = await open(t, folder, { keepFor: 1 })
  await new Promise(resolve => { setTimeout(resolve, 5) })
  await old.drop()
  t.strictSame(await readdir(folder), [])
  t.equal(old.firstNumber, 21, 'numbers go on all the same')
  await old.close()
  const later = await open(t, folder, { lastNumber: 20 })
  t.equal(later.firstNumber, 21)
  t.strictSame(await later.rows.page(5, 10), { rows: [], next: 20 })
})

t.test('sealing that was cut short is done at the start', async t => {
  const folder = await scratch(t)
  const store = await open(t, folder)
  await fill(store, 1, 10)
  await store.close()
  const name = (await readdir(folder)).find(name => name.endsWith('.open.db'))!
  const copies = await Promise.all(
    [name, `${name}-wal`].map(async name => await readFile(path.join(folder, name)).catch(() => undefined))
  )
  const again = await open(t, folder)
  await again.seal()
  await fill(again, 11, 12)
  await again.close()
  // as if it had been killed before the file was sealed: half a copy is there
  await writeFile(path.join(folder, name), copies[0]!)
  if (copies[1] !== undefined) await writeFile(path.join(folder, `${name}-wal`), copies[1])
  const sealed = name.replace('.open', '')
  await rm(path.join(folder, `${sealed}.json`))
  await writeFile(path.join(folder, `${sealed}.tmp`), 'half')
  const third = await open(t, folder)
  await third.seal()
  t.match(third.sealed, [{ firstNumber: 1, lastNumber: 10 }, { firstNumber: 11, lastNumber: 12 }])
})

t.test('a file that is damaged is put aside, and plain sqlite3 reads those that are not', async t => {
  const folder = await scratch(t)
  const store = await open(t, folder)
  await fill(store, 1, 10)
  await store.close()
  const name = (await readdir(folder)).find(name => name.endsWith('.open.db'))
  await writeFile(path.join(folder, name!), 'not a database, but long enough to be taken for one'.repeat(100))
  const again = await open(t, folder)
  t.ok(again.lastNumber >= 10, 'numbers that somebody may know are not given out again')
  t.ok((await readdir(folder)).includes(`${name!}.damaged`))
  await fill(again, again.lastNumber + 1, again.lastNumber + 2)
  await again.seal()
  let version
  try { version = execFileSync('sqlite3', ['--version']) } catch { return t.comment('no sqlite3 here') }
  t.ok(version)
  const file = (await readdir(folder)).find(name => name.endsWith('.db'))!
  t.equal(
    String(execFileSync('sqlite3', [path.join(folder, file), 'select count(*), min(did) is not null from ' +
      'records'])).trim(),
    '2|1'
  )
})

t.test('versions of SQLite that can lose a commit are refused', async t => {
  for (const version of ['3.51.3', '3.52.0', '3.50.7', '3.44.6', '4.0.0']) t.ok(isSound(version), version)
  for (const version of ['3.51.2', '3.50.6', '3.45.0', '3.44.5', '3.49.1']) t.notOk(isSound(version), version)
})

import t, { type Test } from 'tap'
import { cp } from 'node:fs/promises'
import * as Automerge from '@automerge/automerge'
import {
  Repo, generateAutomergeUrl, parseAutomergeUrl, type AutomergeUrl, type DocHandle
} from '@automerge/automerge-repo'
import { client, start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { Adapter } from './convergence/adapter.ts'
import { MemoryStorage } from './convergence/memory-storage.ts'
import { atRelay } from './interop/raw-peer.ts'

interface Fields { [key: string]: unknown }

const { ws } = await start(t) // for all that do not end it

const idOf = (url: AutomergeUrl) => parseAutomergeUrl(url).documentId
const same = (one: DocHandle<Fields>, other: DocHandle<Fields>): boolean =>
  String(Automerge.getHeads(one.doc())) === String(Automerge.getHeads(other.doc()))

/** Whether the relay has told a client that it has what the client has. */
const acknowledged = (repo: Repo, handle: DocHandle<Fields>): boolean => Object.values(repo.peerMetadataByPeerId)
  .some(({ storageId }) =>
    storageId !== undefined && String(handle.getSyncInfo(storageId)?.lastHeads) === String(handle.heads()))

/** A client that stores, and says goodbye when it is told to. */
function storing (t: Test, url: string, storage: MemoryStorage): { repo: Repo, end: () => Promise<void> } {
  const adapter = new Adapter(url, 100)
  const repo = new Repo({ network: [adapter], storage })
  t.teardown(() => { adapter.retire() })
  return {
    repo,
    async end () {
      await repo.flush()
      adapter.retire()
    }
  }
}

/** A document that is nowhere but here, under an id of its own. */
const bring = (repo: Repo, url: AutomergeUrl, fields: Fields): DocHandle<Fields> =>
  repo.import<Fields>(Automerge.save(Automerge.from(fields)), { docId: idOf(url) })

t.test('made, found by others, gone on with, and found again after both are gone and the relay is another', async t => {
  const first = await start(t)
  const made = client(t, first.ws).create<Fields>({ a: 1 })
  await atRelay(t, first.ws, made.documentId)
  const found = await client(t, first.ws).find<Fields>(made.url)
  found.change(doc => { doc['b'] = 2 })
  await until(() => made.doc()['b'] === 2)
  await first.close()
  const second = await start(t, { storage: first.storage })
  t.strictSame((await client(t, second.ws).find<Fields>(made.url)).doc(), { a: 1, b: 2 })
})

t.test('an empty document, too', async t => {
  const made = client(t, ws).create<Fields>()
  await atRelay(t, ws, made.documentId)
  t.strictSame((await client(t, ws).find<Fields>(made.url)).doc(), {})
})

t.test('all who ask for a document that nobody has get it when somebody brings it, also those who came back ' +
  'meanwhile', async t => {
  const url = generateAutomergeUrl()
  const askers = [client(t, ws), client(t, ws), client(t, ws)]
  for (const repo of askers) await t.rejects(repo.find(url), /unavailable/)
  ;(askers[2]!.networkSubsystem.adapters[0] as unknown as { socket: { terminate: () => void } }).socket.terminate()
  const brought = bring(client(t, ws), url, { late: true })
  await until(() => askers.every(repo => {
    const handle = repo.handles[idOf(url)] as DocHandle<Fields>
    return handle.isReady() && same(handle, brought)
  }))
  const [first, last] = [askers[0]!, askers[2]!].map(repo => repo.handles[idOf(url)] as DocHandle<Fields>)
  first!.change(doc => { doc['answered'] = 1 })
  await until(() => last!.doc()['answered'] === 1 && brought.doc()['answered'] === 1)
  t.strictSame(brought.doc(), { late: true, answered: 1 })
})

t.test('who was told that there is no such document makes it itself', async t => {
  const url = generateAutomergeUrl()
  const repo = client(t, ws)
  await t.rejects(repo.find(url), /unavailable/)
  const other = client(t, ws)
  await t.rejects(other.find(url), /unavailable/)
  const handle = repo.handles[idOf(url)] as DocHandle<Fields>
  handle.update(() => Automerge.from<Fields>({ mine: 1 }) as never)
  handle.doneLoading()
  await until(() => (other.handles[idOf(url)] as DocHandle<Fields>).isReady())
  t.strictSame((other.handles[idOf(url)] as DocHandle<Fields>).doc(), { mine: 1 })
})

t.test('two who have parts of a document that the relay has nothing of', async t => {
  const url = generateAutomergeUrl()
  const base = Automerge.from<Fields>({ base: true })
  const parts = ['a', 'b'].map(key => Automerge.save(Automerge.change(Automerge.clone(base), doc => { doc[key] = 1 })))
  const handles = parts.map(part => client(t, ws).import<Fields>(part, { docId: idOf(url) }))
  await until(() => handles.every(handle => handle.doc()['a'] === 1 && handle.doc()['b'] === 1))
  t.ok(same(handles[0]!, handles[1]!))
})

t.test('a hundred documents at once', async t => {
  const { ws, storage, close } = await start(t)
  const maker = client(t, ws)
  const made = Array.from({ length: 100 }, (_, n) => maker.create<Fields>({ n }))
  await until(() => made.every(handle => acknowledged(maker, handle)))
  const finder = client(t, ws)
  const found = await Promise.all(made.map(async ({ url }) => await finder.find<Fields>(url)))
  for (const handle of found) handle.change(doc => { doc['found'] = true })
  await until(() => made.every(handle => handle.doc()['found'] === true))
  await close()
  const late = client(t, (await start(t, { storage })).ws)
  const again = await Promise.all(made.map(async ({ url }) => (await late.find<Fields>(url)).doc()))
  t.strictSame(again, made.map((_, n) => ({ n, found: true })))
})

t.test('a large document: a text of 300,000 characters and 2 MB of bytes', async t => {
  const bytes = new Uint8Array(2e6).map((_, n) => n * n * 31 >> 3)
  const made = client(t, ws).create<Fields>({ text: 'ten chars '.repeat(30_000), bytes })
  await atRelay(t, ws, made.documentId)
  const found = await client(t, ws).find<Fields>(made.url)
  found.change(doc => { Automerge.splice(doc as Automerge.Doc<Fields>, ['text'], 150_000, 10, 'in the middle') })
  await until(() => same(made, found))
  t.equal(String(made.doc()['text']).length, 300_003)
  t.ok(Buffer.from(found.doc()['bytes'] as Uint8Array).equals(bytes)) // the comparison of tests is slow on so many
})

t.test('a document of 400 heads', async t => {
  const { ws, storage, close } = await start(t)
  const base = Automerge.from<Fields>({ base: true })
  const branches = Array.from(
    { length: 400 },
    (_, n) => Automerge.getLastLocalChange(Automerge.change(Automerge.clone(base), doc => { doc[`branch ${n}`] = n }))!
  )
  const [doc] = Automerge.applyChanges(base, branches)
  const made = client(t, ws).import<Fields>(Automerge.save(doc), { docId: idOf(generateAutomergeUrl()) })
  t.equal(Automerge.getHeads(made.doc()).length, 400)
  await atRelay(t, ws, made.documentId)
  const found = await client(t, ws).find<Fields>(made.url)
  await until(() => same(made, found))
  await close()
  const second = await start(t, { storage })
  const late = await client(t, second.ws).find<Fields>(made.url)
  t.strictSame(Automerge.getHeads(late.doc()), Automerge.getHeads(doc))
  late.change(doc => { doc['merged'] = true })
  const last = client(t, second.ws)
  await until(async () => (await last.find<Fields>(made.url)).doc()['merged'] === true)
  t.equal(Automerge.getHeads((await last.find<Fields>(made.url)).doc()).length, 1)
})

t.test('a client that leaves in the middle of its first sync and comes back brings the rest', async t => {
  const adapter = new Adapter(ws, 100)
  t.teardown(() => { adapter.retire() })
  const repo = new Repo({ network: [adapter] })
  const url = generateAutomergeUrl()
  const handle = bring(repo, url, { bytes: new Uint8Array(2e6).map((_, n) => n * n * 17 >> 2) })
  await until(() => adapter.said(handle.documentId).length > 0)
  adapter.socket!.terminate()
  handle.change(doc => { doc['offline'] = true })
  const other = client(t, ws)
  const finding = other.find<Fields>(url)
  finding.catch(() => {}) // it may not be there yet
  await until(() => {
    const theirs = other.handles[idOf(url)] as DocHandle<Fields> | undefined
    return theirs?.isReady() === true && same(theirs, handle)
  })
  t.equal((other.handles[idOf(url)] as DocHandle<Fields>).doc()['offline'], true)
})

t.test('a client comes back with documents and sync states of before', async t => {
  const storage = new MemoryStorage()
  const first = storing(t, ws, storage)
  const made = first.repo.create<Fields>({ n: 0 })
  await atRelay(t, ws, made.documentId)
  const other = await client(t, ws).find<Fields>(made.url)
  await first.repo.flush()
  const before = storage.copy()
  for (let n = 1; n <= 30; n++) other.change(doc => { doc['n'] = n })
  await until(() => same(made, other))
  await first.end()
  other.change(doc => { doc['meanwhile'] = true })
  for (const [title, copy] of Object.entries({
    'all of before': before, 'documents of before, sync states of now': before.withSyncStatesOf(storage)
  })) {
    const again = storing(t, ws, copy.copy())
    const found = await again.repo.find<Fields>(made.url)
    found.change(doc => { doc[title] = true })
    await until(() => same(found, other))
    t.equal(found.doc()['meanwhile'], true, title)
    await again.end()
  }
})

t.test('a relay whose folder is that of yesterday’s backup gets from its clients what it no longer has', async t => {
  const first = await start(t)
  const storage = new MemoryStorage()
  const maker = storing(t, first.ws, storage)
  const old = maker.repo.create<Fields>({ n: 0 })
  await atRelay(t, first.ws, old.documentId)
  await first.close()
  await maker.end()
  const backup = await scratch(t)
  await cp(first.storage, backup, { recursive: true })

  const second = await start(t, { storage: first.storage })
  const later = storing(t, second.ws, storage)
  const handle = await later.repo.find<Fields>(old.url)
  for (let n = 1; n <= 30; n++) handle.change(doc => { doc['n'] = n })
  const young = later.repo.create<Fields>({ young: true })
  await until(() => acknowledged(later.repo, handle) && acknowledged(later.repo, young))
  await later.end()
  await second.close()

  const third = await start(t, { storage: backup })
  const back = storing(t, third.ws, storage)
  for (const { url, doc } of [{ url: old.url, doc: handle.doc() }, { url: young.url, doc: young.doc() }]) {
    const brought = await back.repo.find<Fields>(url)
    await until(() => acknowledged(back.repo, brought))
    t.strictSame((await client(t, third.ws).find<Fields>(url)).doc(), doc)
  }
})

t.test('two clients of one peer id', async t => {
  const made = client(t, ws).create<Fields>({ n: 0 })
  await atRelay(t, ws, made.documentId)
  const twins = await Promise.all([1, 2].map(async () => {
    const adapter = new Adapter(ws, 100)
    t.teardown(() => { adapter.retire() })
    return await new Repo({ network: [adapter], peerId: 'twin' as never }).find<Fields>(made.url)
  }))
  for (const [n, twin] of twins.entries()) twin.change(doc => { doc[`twin ${n}`] = true })
  await until(() => [made, ...twins].every(handle => Object.keys(handle.doc()).length === 3))
  t.ok(twins.every(twin => same(twin, made)))
})

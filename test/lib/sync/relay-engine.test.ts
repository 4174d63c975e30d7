import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl, type AutomergeUrl } from '@automerge/automerge-repo'
import { client, idOf, serve, until } from './server.ts'
import type { DocumentId } from '../../../lib/ids.ts'

interface Doc { [key: string]: number }
const newId = () => parseAutomergeUrl(generateAutomergeUrl()).documentId as string as DocumentId
const urlOf = (id: DocumentId) => `automerge:${id}` as AutomergeUrl

t.test('two clients edit at once, both ways', async t => {
  const { url, seen } = await serve(t)
  const [a, b] = [client(t, url), client(t, url)]
  const ours = a.repo.create<Doc>({ a: 0 })
  await until(() => seen.latencies.length > 0)
  const theirs = await b.repo.find<Doc>(ours.url)
  ours.change(d => { d['a'] = 1 })
  theirs.change(d => { d['b'] = 2 })
  await until(() => ours.doc()['b'] === 2 && theirs.doc()['a'] === 1)
  t.strictSame(ours.doc(), theirs.doc())
  t.ok(seen.latencies.length > 0 && seen.latencies.every(seconds => seconds >= 0))
  t.strictSame(seen.refused, [])
})

t.test('offline edits and a restart in between: all end equal, and so does the disk', async t => {
  const first = await serve(t)
  const { folder, port } = first
  const [a, b] = [client(t, first.url), client(t, first.url)]
  const ours = a.repo.create<Doc>({ a: 0 })
  await until(() => first.seen.latencies.length > 0)
  const theirs = await b.repo.find<Doc>(ours.url)
  await first.close()
  ours.change(d => { d['a'] = 1 })
  theirs.change(d => { d['b'] = 2 })
  const second = await serve(t, { folder, port })
  await until(() => ours.doc()['b'] === 2 && theirs.doc()['a'] === 1)
  await second.close()
  const third = await serve(t, { folder })
  const late = await client(t, third.url).repo.find<Doc>(ours.url)
  t.strictSame(late.doc(), { a: 1, b: 2 })
  const saved = await third.engine.snapshot(idOf(ours))
  t.strictSame(Automerge.toJS(Automerge.load(saved!)), { a: 1, b: 2 })
})

t.test('the relay’s peer id is its process’s own, its storage id that of its store', async t => {
  const told = async (folder?: string) => {
    const relay = await serve(t, folder === undefined ? {} : { folder })
    const { repo, whenConnected } = client(t, relay.url)
    await whenConnected()
    const [[peerId, { storageId }] = ['', {}]] = Object.entries(repo.peerMetadataByPeerId)
    t.equal(storageId, relay.documents.id)
    await relay.close()
    return { peerId, storageId, folder: relay.folder }
  }
  const first = await told()
  const second = await told(first.folder)
  t.equal(second.storageId, first.storageId)
  t.not(second.peerId, first.peerId)
})

t.test('a document is offered only to those who ask for it', async t => {
  const { url, seen } = await serve(t)
  const writer = client(t, url)
  for (let n = 0; n < 5; n++) writer.repo.create<Doc>({ n })
  const asker = client(t, url)
  await until(() => seen.latencies.length >= 5)
  await asker.whenConnected()
  const before = seen.out.length
  await sleep(300) // the debounce of a client that was told would have run out
  t.strictSame(seen.out.slice(before), [])
  t.strictSame(Object.keys(asker.repo.handles), [])
})

t.test('a document nobody has is unavailable, and told to who asked when it comes', async t => {
  const { url, engine } = await serve(t)
  const id = newId()
  const asker = client(t, url)
  await asker.whenConnected()
  await t.rejects(asker.repo.find(urlOf(id)), /unavailable/)
  await engine.merge(id, [Automerge.save(Automerge.from({ n: 7 }))])
  const handle = asker.repo.handles[id as never]!
  await until(() => handle.isReady() && (handle.doc() as Doc)['n'] === 7)
})

t.test('merge: into nothing, into a stored, into an open document; never overwriting', async t => {
  const { url, engine, documents } = await serve(t)
  const changed: string[] = []
  engine.onChange(() => { throw new Error('a listener that fails') }) // is nobody else's trouble
  const stop = engine.onChange(id => { changed.push(id) })
  const id = newId()
  const first = Automerge.from<Doc>({ a: 1 })
  const second = Automerge.change(Automerge.clone(first), d => { d['b'] = 2 })
  t.equal(await engine.snapshot(id), null)
  await engine.merge(id, [Automerge.save(first)])
  t.strictSame(changed, [id])
  await engine.merge(id, [Automerge.save(first)])
  t.equal((await documents.chunks(id)).length, 1, 'nothing new, nothing stored')
  await engine.merge(id, [Automerge.saveSince(second, Automerge.getHeads(first))])
  t.strictSame(Automerge.toJS(Automerge.load((await engine.snapshot(id))!)), { a: 1, b: 2 })

  const handle = await client(t, url).repo.find<Doc>(urlOf(id))
  handle.change(d => { d['mine'] = 3 })
  const third = Automerge.change(Automerge.clone(first), d => { d['c'] = 4 })
  await engine.merge(id, [Automerge.save(third)])
  await until(() => handle.doc()['c'] === 4)
  t.strictSame(handle.doc(), { a: 1, b: 2, mine: 3, c: 4 })
  await until(async () => Automerge.hasHeads(
    Automerge.load((await engine.snapshot(id))!), Automerge.getHeads(handle.doc())
  ))
  t.ok(changed.length > 2)

  await t.rejects(engine.merge(newId(), [Buffer.from('nonsense')]), { code: 'RELAY_DOCUMENT_INVALID' })
  await t.rejects(engine.merge(id, [Buffer.from('nonsense')]), { code: 'RELAY_DOCUMENT_INVALID' })
  stop()
})

t.test('a stored bundle and the edits of peers in one snapshot', async t => {
  const { url, engine } = await serve(t)
  const id = newId()
  await engine.merge(id, [Automerge.save(Automerge.from({ a: 1 }))])
  const handle = await client(t, url).repo.find<Doc>(urlOf(id))
  handle.change(d => { d['b'] = 1 })
  await until(async () => Automerge.hasHeads(
    Automerge.load((await engine.snapshot(id))!), Automerge.getHeads(handle.doc())
  ))
})

t.test('ephemeral messages reach the other peers of the document, once', async t => {
  const { url, seen } = await serve(t)
  const [a, b, c] = [client(t, url), client(t, url), client(t, url)]
  const ours = a.repo.create<Doc>({ n: 1 })
  await until(() => seen.latencies.length > 0)
  const theirs = await b.repo.find<Doc>(ours.url)
  const other = c.repo.create<Doc>({ n: 1 })
  const heard: unknown[] = []
  theirs.on('ephemeral-message', ({ message }) => { heard.push(message) })
  for (const handle of [ours, other]) handle.on('ephemeral-message', () => { t.fail('nobody else hears it') })
  await until(() => { ours.broadcast({ cursor: heard.length }); return heard.length >= 3 })
  t.match(heard[0], { cursor: 0 })
})

t.test('closing in the middle of edits loses none that was acknowledged', async t => {
  const first = await serve(t)
  const { repo } = client(t, first.url)
  let acknowledged: Automerge.Heads = []
  repo.synchronizer.on('sync-state', ({ syncState }) => { acknowledged = syncState.theirHeads ?? acknowledged })
  const handle = repo.create<Doc>({ n: 0 })
  const writing = setInterval(() => {
    try {
      handle.change(d => { d['n']!++ })
    } catch {
      clearInterval(writing) // a stock client that sends on a socket that is closing spoils its own document
    }
  }, 1)
  t.teardown(() => { clearInterval(writing) })
  await until(() => first.seen.latencies.length > 5)
  await first.close()
  t.equal(first.seen.refused.at(-1), 'RELAY_CLOSING')
  const saved = await (await serve(t, { folder: first.folder })).engine.snapshot(idOf(handle))
  t.ok(acknowledged.length > 0 && Automerge.hasHeads(Automerge.load(saved!), acknowledged))
})

t.test('a document nobody follows leaves memory, and is there when it is asked for again', async t => {
  const { url, engine } = await serve(t, { idleTimeout: 50 })
  const first = client(t, url)
  const handle = first.repo.create<Doc>({ n: 1 })
  const { adapter, repo } = client(t, url)
  await t.rejects(repo.find(urlOf(newId())), /unavailable/)
  await until(() => engine.stats().documents === 1) // what nobody has takes no memory of a document
  adapter.disconnect()
  handle.change(d => { d['n'] = 2 })
  const heads = Automerge.getHeads(handle.doc())
  await until(async () => Automerge.hasHeads(Automerge.load((await engine.snapshot(idOf(handle)))!), heads))
  first.adapter.disconnect()
  await until(() => engine.stats().documents === 0)
  const again = await client(t, url).repo.find<Doc>(handle.url)
  t.strictSame(again.doc(), { n: 2 })
  again.change(d => { d['n'] = 3 })
  const other = await client(t, url).repo.find<Doc>(handle.url)
  await until(() => other.doc()['n'] === 3)
})

t.test('what is in memory of a document is told without reading it', async t => {
  const { url, engine } = await serve(t)
  const handle = client(t, url).repo.create<Doc>({ n: 1 })
  const id = idOf(handle)
  await client(t, url).repo.find<Doc>(handle.url)
  handle.change(d => { d['n'] = 2 })
  await until(() => engine.state(id)?.heads[0] === Automerge.getHeads(handle.doc())[0])
  t.strictSame(engine.state(id), {
    heads: Automerge.getHeads(handle.doc()), changes: Automerge.getAllChanges(handle.doc()).length, peers: 2
  })
  t.strictSame([...engine.openIds()], [id])
  t.equal(engine.state(newId()), undefined)
})

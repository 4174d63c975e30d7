import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import * as Automerge from '@automerge/automerge'
import { newDocumentId, type DocumentId } from '../../../../lib/ids.ts'
import { RawPeer } from '../../../app/interop/raw-peer.ts'
import { client, idOf, serve, until } from '../server.ts'

type Doc = Record<string, unknown>

/** Changes one after the other, each with so many bytes of text that do not compress. */
function changes (count: number, bytes = 10): { list: Uint8Array[], heads: string[] } {
  let doc = Automerge.init<Doc>()
  for (let n = 0; n < count; n++) {
    doc = Automerge.change(doc, d => { d[`key ${n}`] = new Uint8Array(bytes).map(() => Math.random() * 256) })
  }
  return { list: Automerge.getAllChanges(doc), heads: Automerge.getHeads(doc) }
}

const reads = { peerMetadata: {}, supportedProtocolVersions: ['1'] }

t.test('a document takes as many changes as it may have, and is there to be read afterwards', async t => {
  const { url, engine, limits, documents } = await serve(t, { limits: { documentChanges: 3 } })
  const peer = await RawPeer.join(t, url, reads)
  peer.send({ type: 'access' }) // it reads why
  const id = newDocumentId()
  const { list, heads } = changes(4)
  const bring = (n: number) => {
    peer.sync(id, { heads: [Automerge.decodeChange(list[n]!).hash], changes: [list[n]!] })
  }
  for (const n of [0, 1, 2]) {
    bring(n)
    await peer.nextSync(message => String(message.heads) === Automerge.decodeChange(list[n]!).hash)
  }
  t.equal(limits.refusals.met.size, 0, 'at the limit')
  bring(3)
  t.match(await peer.next('access'), {
    documentId: id, code: 'RELAY_DOCUMENT_TOO_LARGE', message: /may have at most 3/
  })
  t.strictSame([...limits.refusals.met], [['documentChanges', 1]])
  const other = await RawPeer.join(t, url)
  t.strictSame(await other.heads(id), [Automerge.decodeChange(list[2]!).hash], 'others read it')
  t.notSame(heads, [Automerge.decodeChange(list[2]!).hash])
  t.strictSame(Object.keys(Automerge.toJS(Automerge.load<Doc>((await engine.snapshot(id))!))).length, 3)
  t.equal((await documents.chunks(id)).length > 0, true)
  const second = newDocumentId()
  peer.sync(second, { heads: [Automerge.decodeChange(list[0]!).hash], changes: [list[0]!] })
  await until(async () => await engine.snapshot(second) !== null)
  t.pass('and other documents take changes on the same connection')
})

t.test('a document grows up to its size; more is not taken, in small or large pieces', async t => {
  const { url, engine, limits, seen } = await serve(t, { limits: { documentSize: 10_000 } })
  const [a, b] = [client(t, url), client(t, url)]
  const ours = a.repo.create<Doc>({ n: 0 })
  await until(async () => await engine.snapshot(idOf(ours)) !== null)
  const theirs = await b.repo.find<Doc>(ours.url)
  ours.change(d => { d['large'] = new Uint8Array(20_000).map(() => Math.random() * 256) })
  await until(() => limits.refusals.met.has('documentSize'))
  ours.change(d => { d['n'] = 1 })
  await sleep(300)
  const stored = Automerge.load<Doc>((await engine.snapshot(idOf(ours)))!)
  t.strictSame(Automerge.toJS(stored), { n: 0 })
  t.strictSame(Automerge.toJS(theirs.doc()), { n: 0 })
  t.strictSame(seen.refused, [], 'nobody is closed')
  const before = seen.in.length
  await sleep(500)
  t.equal(seen.in.length, before, 'and it is quiet')
  const another = b.repo.create<Doc>({ n: 5 })
  await until(async () => await engine.snapshot(idOf(another)) !== null)
})

t.test('a whole document beyond the size is not taken, nor asked for again and again', async t => {
  const { url, engine, limits, seen } = await serve(t, { limits: { documentSize: 10_000 } })
  const { repo } = client(t, url)
  const handle = repo.create<Doc>({ large: new Uint8Array(20_000).map(() => Math.random() * 256) })
  await until(() => limits.refusals.met.has('documentSize'))
  await sleep(500)
  const before = seen.in.length
  await sleep(500)
  t.equal(seen.in.length, before, 'it is quiet')
  t.equal(await engine.snapshot(idOf(handle)), null)
  t.strictSame(seen.refused, [])
})

t.test('a connection follows as many documents as it may; others are as if they were not there', async t => {
  const { url, engine, limits } = await serve(t, { limits: { documentsPerConnection: 2 } })
  const { list, heads } = changes(1)
  const ids = [newDocumentId(), newDocumentId(), newDocumentId()]
  const maker = await RawPeer.join(t, url)
  for (const id of ids.slice(0, 2)) maker.sync(id, { heads, changes: list })
  const other = await RawPeer.join(t, url)
  other.sync(ids[2]!, { heads, changes: list })
  for (const id of ids) await until(async () => await engine.snapshot(id) !== null)
  const peer = await RawPeer.join(t, url)
  peer.send({ type: 'access' })
  for (const id of ids.slice(0, 2)) t.strictSame(await peer.heads(id), heads)
  t.strictSame(await peer.heads(ids[2]!), [])
  t.match(await peer.next('access'), { documentId: ids[2], code: 'RELAY_TOO_MANY_DOCUMENTS' })
  t.strictSame(await peer.heads(ids[0]!), heads, 'what it follows it goes on following')
  t.strictSame([...limits.refusals.met], [['documentsPerConnection', 1]])
})

t.test('ephemeral messages beyond the rate are dropped, those of others are not', async t => {
  const { url, engine, limits } = await serve(t, { limits: { ephemeralRate: 1 } }) // two at once
  const { list, heads } = changes(1)
  const id = newDocumentId()
  const [loud, quiet, listener] = [await RawPeer.join(t, url), await RawPeer.join(t, url), await RawPeer.join(t, url)]
  loud.sync(id, { heads, changes: list })
  await until(async () => await engine.snapshot(id as DocumentId) !== null)
  for (const peer of [quiet, listener]) t.strictSame(await peer.heads(id), heads)
  const say = (peer: RawPeer, count: number, size = 1) => {
    peer.send({ type: 'ephemeral', documentId: id, sessionId: 's', count, data: new Uint8Array(size) })
  }
  for (let count = 1; count <= 1000; count++) say(loud, count)
  await until(() => (limits.refusals.met.get('ephemeralRate') ?? 0) >= 900)
  say(quiet, 1)
  const heard: number[] = []
  for (;;) {
    const { senderId, count } = await listener.next('ephemeral')
    if (senderId === quiet.id) break
    heard.push(count as number)
  }
  t.strictSame(heard.slice(0, 2), [1, 2])
  t.ok(heard.length < 100, `${heard.length} of 1000 came`)
  const before = limits.refusals.met.get('ephemeralRate')!
  say(quiet, 2, 2 * 4096 + 1)
  await until(() => limits.refusals.met.get('ephemeralRate')! > before)
  t.pass('a large one counts as many')
  t.strictSame(await loud.heads(id), heads, 'who was too loud is connected still')
})

import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo'
import { client, start, until, urlOf } from '../helper.ts'
import { atRelay, RawPeer } from './interop/raw-peer.ts'

interface Fields { [key: string]: unknown }

const { ws } = await start(t) // for all that do not end it

const newId = (): string => parseAutomergeUrl(generateAutomergeUrl()).documentId

/** A document of so many changes in a row. */
function written (changes: number): Automerge.Doc<Fields> {
  let doc = Automerge.init<Fields>()
  for (let n = 0; n < changes; n++) doc = Automerge.change(doc, doc => { doc[`key ${n}`] = n })
  return doc
}

t.test('a join as Tonk’s and older clients send it', async t => {
  for (const join of [
    { metadata: {}, supportedProtocolVersions: ['1'] }, { metadata: { storageId: 'x', isEphemeral: true } }, {}
  ]) {
    const peer = await RawPeer.join(t, ws, join)
    t.match(peer.heard[0], {
      type: 'peer',
      targetId: peer.id,
      selectedProtocolVersion: '1',
      peerMetadata: { isEphemeral: false, storageId: /^[\da-f-]{36}$/ }
    })
    const [id, doc] = [newId(), written(1)]
    peer.sync(id, { heads: Automerge.getHeads(doc), changes: Automerge.getAllChanges(doc) })
    await peer.nextSync(({ heads }) => String(heads) === String(Automerge.getHeads(doc)))
    t.strictSame((await client(t, ws).find(urlOf(id))).doc(), { 'key 0': 0 })
  }
})

t.test('who asks while the first changes are on their way to the relay gets them when they come', async t => {
  const [id, doc] = [newId(), written(3)]
  const maker = await RawPeer.join(t, ws)
  maker.sync(id, { heads: Automerge.getHeads(doc) })
  await maker.nextSync(({ need, have }) => need.length > 0 || have.length > 0) // the relay asks for them
  const reader = client(t, ws)
  const [asker, finding] = [await RawPeer.join(t, ws), reader.find<Fields>(urlOf(id))]
  finding.catch(() => {}) // it may be told that there is none, and then that there is
  const asked = asker.heads(id)
  await Promise.race([asked, new Promise(resolve => setTimeout(resolve, 200))]) // it may be made to wait
  maker.sync(id, { heads: Automerge.getHeads(doc), changes: Automerge.getAllChanges(doc) })
  await atRelay(t, ws, id)
  await until(() => reader.handles[id as never]?.isReady() === true)
  t.strictSame(reader.handles[id as never]!.doc(), doc)
})

t.test('changes that come in any order, one at a time, twice', async t => {
  const { ws, close, storage } = await start(t)
  const [id, doc] = [newId(), written(12)]
  const heads = Automerge.getHeads(doc)
  const changes = Automerge.getAllChanges(doc)
  const writer = await RawPeer.join(t, ws)
  for (const change of [...changes.toReversed(), ...changes.filter((_, n) => n % 2 === 0)]) {
    writer.sync(id, { heads, changes: [change] })
  }
  await writer.nextSync(message => String(message.heads) === String(heads))
  t.strictSame((await client(t, ws).find<Fields>(urlOf(id))).doc(), doc)
  await close()
  t.strictSame((await client(t, (await start(t, { storage })).ws).find<Fields>(urlOf(id))).doc(), doc)
})

t.test('changes whose dependencies are missing are asked for, and brought by whoever has them', async t => {
  const [id, doc] = [newId(), written(10)]
  const heads = Automerge.getHeads(doc)
  const changes = Automerge.getAllChanges(doc)
  const [late, early] = [await RawPeer.join(t, ws), await RawPeer.join(t, ws)]
  late.sync(id, { heads, changes: changes.slice(5) })
  const { need } = await late.nextSync(message => message.need.length > 0)
  t.ok(need.every(hash => changes.some(change => Automerge.decodeChange(change).hash === hash)))
  early.sync(id, { heads: [Automerge.decodeChange(changes[4]!).hash], changes: changes.slice(0, 5) })
  await late.nextSync(message => String(message.heads) === String(heads))
  t.strictSame((await client(t, ws).find<Fields>(urlOf(id))).doc(), doc)
})

t.test('a document is sent whole to those who know the second version of sync messages, and change by change to ' +
  'others', async t => {
  const handle = client(t, ws).create<Fields>({ a: 1 })
  for (let n = 0; n < 50; n++) handle.change(doc => { doc['n'] = n })
  const heads = Automerge.getHeads(handle.doc())
  await until(async () => String(await (await RawPeer.join(t, ws)).heads(handle.documentId)) === String(heads))
  for (const old of [true, false]) {
    const peer = await RawPeer.join(t, ws)
    let [doc, state] = [Automerge.init<Fields>(), Automerge.initSyncState()]
    for (let first = true; String(Automerge.getHeads(doc)) !== String(heads); first = false) {
      const [next, message] = Automerge.generateSyncMessage(doc, state)
      // one before version 2 does not send the flags at the end
      if (message !== null) {
        peer.send({
          type: first ? 'request' : 'sync',
          documentId: handle.documentId,
          data: old ? message.subarray(0, message.length - 3) : message
        })
      }
      const { data } = await peer.next('sync')
      if (old) t.equal(data![0], 0x42, 'the first version')
      ;[doc, state] = Automerge.receiveSyncMessage(doc, next, data!)
    }
    t.strictSame(doc, handle.doc())
  }
})

t.test('whoever says `leave` is closed, hears no more and may come back; the others go on', async t => {
  const [ours, theirs] = [client(t, ws), client(t, ws)]
  const handle = ours.create<Fields>({ n: 0 })
  await atRelay(t, ws, handle.documentId)
  const other = await theirs.find<Fields>(handle.url)
  const peer = await RawPeer.join(t, ws)
  t.strictSame(await peer.heads(handle.documentId), Automerge.getHeads(handle.doc()))
  peer.send({ type: 'leave' })
  t.equal(await peer.closed, 1000)
  const heard = peer.heard.length
  handle.change(doc => { doc['n'] = 1 })
  await until(() => other.doc()['n'] === 1)
  t.equal(peer.heard.length, heard)
  t.strictSame(await (await RawPeer.join(t, ws)).heads(handle.documentId), Automerge.getHeads(handle.doc()))
})

t.test('a peer that is cut off in the middle of a document leaves nothing half-done', async t => {
  const [id, doc] = [newId(), written(200)]
  const heads = Automerge.getHeads(doc)
  const changes = Automerge.getAllChanges(doc)
  const first = await RawPeer.join(t, ws)
  for (const change of changes.slice(0, 150)) first.sync(id, { heads, changes: [change] })
  first.cut()
  await first.closed
  const again = await RawPeer.join(t, ws)
  again.sync(id, { heads, changes: changes.slice(100) })
  const { need } = await again.nextSync(message => message.need.length > 0 || String(message.heads) === String(heads))
  if (need.length > 0) again.sync(id, { heads, changes: changes.slice(0, 100) })
  await until(async () => String(await (await RawPeer.join(t, ws)).heads(id)) === String(heads))
  t.strictSame((await client(t, ws).find<Fields>(urlOf(id))).doc(), doc)
})

t.test('ephemeral messages go to those who follow the document, once and in order, and are passed on by ' +
  'others', async t => {
  const [id, doc] = [newId(), written(1)]
  const [speaker, listener, stranger] = [
    await RawPeer.join(t, ws), await RawPeer.join(t, ws), await RawPeer.join(t, ws)
  ]
  speaker.sync(id, { heads: Automerge.getHeads(doc), changes: Automerge.getAllChanges(doc) })
  await atRelay(t, ws, id)
  await listener.heads(id)
  const say = (count: number, frame = {}) => {
    speaker.send({ type: 'ephemeral', documentId: id, data: new Uint8Array([count]), sessionId: 's', count, ...frame })
  }
  say(1)
  say(2)
  say(2)
  say(1)
  say(3)
  say(1, { sessionId: 'another' })
  say(1, { senderId: 'a peer of the speaker’s' })
  const heard = []
  for (let n = 0; n < 5; n++) {
    const { senderId, targetId, sessionId, count, data } = await listener.next('ephemeral')
    t.equal(targetId, listener.id)
    heard.push([senderId, sessionId, count, [...data!]])
  }
  t.strictSame(heard, [
    [speaker.id, 's', 1, [1]], [speaker.id, 's', 2, [2]], [speaker.id, 's', 3, [3]], [speaker.id, 'another', 1, [1]],
    ['a peer of the speaker’s', 's', 1, [1]]
  ])
  for (const peer of [stranger, speaker]) {
    await peer.heads(newId())
    t.notOk(peer.heard.some(({ type }) => type === 'ephemeral'))
  }
})

t.test('an ephemeral message that clients hand back, as automerge-repo’s do, is not passed on once more', async t => {
  const listener = await RawPeer.join(t, ws)
  const first = client(t, ws).create<Fields>({ n: 0 })
  await atRelay(t, ws, first.documentId)
  await listener.heads(first.documentId)
  const others = await Promise.all([1, 2, 3].map(async () => await client(t, ws).find<Fields>(first.url)))
  let heard = 0
  for (const handle of others) handle.on('ephemeral-message', () => { heard++ })
  first.broadcast('hello')
  await until(() => heard >= others.length)
  // comes after what it handed back
  for (const [n, handle] of others.entries()) handle.change(doc => { doc[`after ${n}`] = true })
  await until(() => others.every((_, n) => first.doc()[`after ${n}`] === true))
  await listener.heads(newId()) // all that was to be sent to it before is
  t.equal(listener.heard.filter(({ type }) => type === 'ephemeral').length, 1)
})

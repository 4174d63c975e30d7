import t, { type Test } from 'tap'
import net from 'node:net'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import WebSocket from 'ws'
import * as Automerge from '@automerge/automerge'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'
import { decodeCbor, type Cbor, type CborMap } from '../../../lib/wire/cbor-decode.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { client, serve, until } from '../sync/server.ts'

const documentId = '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ'
const join: CborMap = {
  type: 'join', senderId: 'raw', peerMetadata: { storageId: '../../../evil' }, supportedProtocolVersions: ['1']
}
const sync: CborMap = {
  type: 'sync',
  senderId: 'raw',
  targetId: 'relay',
  documentId,
  data: Automerge.generateSyncMessage(Automerge.init(), Automerge.initSyncState())[1]!
}

/** A WebSocket that says exactly what it is told. */
async function raw (t: Test, url: string) {
  const socket = new WebSocket(url)
  const frames: CborMap[] = []
  const closed = new Promise<{ code: number, reason: string }>(resolve => {
    socket.on('close', (code, reason) => { resolve({ code, reason: reason.toString() }) })
  })
  socket.on('error', () => {}) // the close tells
  socket.on('message', data => { frames.push(decodeCbor(data as Buffer) as CborMap) })
  t.teardown(() => { socket.terminate() })
  await once(socket, 'open')
  return { socket, frames, closed, say: (frame: Cbor) => { socket.send(encodeCbor(frame)) } }
}

/** A client that must not notice anything. */
async function witness (t: Test, url: string) {
  const [a, b] = [client(t, url), client(t, url)]
  const ours = a.repo.create<{ n: number }>({ n: 0 })
  const theirs = await b.repo.find<{ n: number }>(ours.url)
  let disconnects = 0
  for (const { adapter } of [a, b]) adapter.on('peer-disconnected', () => { disconnects++ })
  return async () => {
    const n = ours.doc().n + 1
    ours.change(d => { d.n = n })
    await until(() => theirs.doc().n === n)
    return disconnects
  }
}

t.test('a bad frame closes its own socket with a code and a reason, and nothing else', async t => {
  const { url, seen, documents } = await serve(t, { maxFrame: 100_000 })
  const undisturbed = await witness(t, url)
  const cases: Array<[name: string, code: number, reason: RegExp, frames: Array<Uint8Array | string>]> = [
    ['text', 1003, /^RELAY_FRAME_NOT_BINARY: /, ['hello']],
    ['CBOR null', 1007, /^RELAY_FRAME_INVALID: /, [encodeCbor(null)]],
    ['empty', 1007, /^RELAY_FRAME_INVALID: /, [new Uint8Array(0)]],
    ['random', 1007, /^RELAY_FRAME_INVALID: /, [Buffer.concat([Buffer.of(0xff), randomBytes(1000)])]],
    ['an array of four billion', 1007, /^RELAY_FRAME_INVALID: /, [Buffer.from('9affffffff', 'hex')]],
    ['too large', 1009, /^RELAY_FRAME_TOO_LARGE: /, [new Uint8Array(100_001)]],
    ['a message before join', 1008, /^RELAY_FRAME_UNEXPECTED: sync before join/, [encodeCbor(sync)]],
    ['an unknown type', 1008, /^RELAY_FRAME_UNEXPECTED: /, [encodeCbor(join), encodeCbor({ ...sync, type: 'evil' })]],
    ['another sender', 1008, /^RELAY_FRAME_UNEXPECTED: senderId/, [encodeCbor(join), encodeCbor({
      ...sync, senderId: 'somebody else'
    })]],
    ['joining twice as two', 1008, /^RELAY_FRAME_UNEXPECTED: joined/, [encodeCbor(join), encodeCbor({
      ...join, senderId: 'two'
    })]],
    ['a document id that is a path', 1008, /^RELAY_ID_INVALID: /, [encodeCbor(join), encodeCbor({
      ...sync, documentId: '../../../../evil'
    })]],
    ['no sync message', 1007, /^RELAY_SYNC_INVALID: /, [encodeCbor(join), encodeCbor({
      ...sync, data: randomBytes(64)
    })]],
    ['an unknown version', 1002, /^RELAY_PROTOCOL_VERSION: /, [encodeCbor({
      ...join, supportedProtocolVersions: ['2']
    })]]
  ]
  for (const [name, code, reason, frames] of cases) {
    const { socket, closed } = await raw(t, url)
    for (const frame of frames) socket.send(frame)
    const end = await closed
    t.equal(end.code, code, name)
    t.match(end.reason, reason, name)
    t.equal(await undisturbed(), 0, `${name}: nobody else noticed`)
  }
  t.equal(seen.refused.length, cases.length)
  t.strictSame(await documents.chunks(documentId as never), [])
})

t.test('changes that cannot be read are refused before they reach the document', async t => {
  const { url, engine } = await serve(t)
  const document = Automerge.from({ text: 'x'.repeat(200) })
  let state = Automerge.initSyncState()
  const empty = Automerge.initSyncState()
  const asked = Automerge.generateSyncMessage(Automerge.init(), empty)[1]!
  ;[, state] = Automerge.receiveSyncMessage(document, state, asked)
  const message = Automerge.generateSyncMessage(document, state)[1]!
  for (let at = message.length - 60; at < message.length - 10; at += 7) {
    const bad = message.slice()
    bad[at]! ^= 0x55
    const { say, closed } = await raw(t, url)
    say(join)
    say({ ...sync, data: bad })
    t.equal((await closed).code, 1007, `flipped at ${at}`)
  }
  t.equal(await engine.snapshot(documentId as never), null)
})

t.test('the handshake: versions, metadata of old clients, repeats, leaving', async t => {
  const { url, engine } = await serve(t)
  const old = await raw(t, url)
  old.say({ type: 'join', senderId: 'old', metadata: { isEphemeral: false } })
  await until(() => old.frames.length === 1)
  t.match(old.frames[0], {
    type: 'peer', targetId: 'old', selectedProtocolVersion: '1', peerMetadata: { isEphemeral: false }
  })
  old.say({ type: 'join', senderId: 'old', metadata: { isEphemeral: false } })
  await until(() => old.frames.length === 2)
  t.equal(engine.stats().peers, 1)
  old.say({ type: 'leave', senderId: 'old' })
  t.equal((await old.closed).code, 1000)
  t.strictSame(engine.stats(), { connections: 0, peers: 0, documents: 0 })
  const future = await raw(t, url)
  future.say({ ...join, supportedProtocolVersions: ['7'] })
  await future.closed
  t.match(future.frames, [{ type: 'error', message: 'unsupported protocol version', targetId: 'raw' }])
})

t.test('two sockets under one peer id both go on', async t => {
  const { url } = await serve(t)
  const [one, two] = [await raw(t, url), await raw(t, url)]
  for (const { say } of [one, two]) { say(join); say({ ...sync, type: 'request' }) }
  await until(() => [one, two].every(({ frames }) => frames.some(({ type }) => type === 'doc-unavailable')))
  t.equal(one.socket.readyState, WebSocket.OPEN)
})

t.test('a socket that never joins is closed', async t => {
  const { url } = await serve(t, { handshakeTimeout: 50 })
  t.match(await (await raw(t, url)).closed, { code: 1008, reason: /^RELAY_HANDSHAKE_TIMEOUT/ })
})

t.test('a peer that stops reading is skipped, and sent the rest at once when it reads again', async t => {
  const { url, seen } = await serve(t)
  const writer = await raw(t, url)
  writer.say({ ...join, senderId: 'writer' })
  const slow = await raw(t, url)
  slow.say(join)
  slow.say({ ...sync, type: 'request' })
  await until(() => slow.frames.some(({ type }) => type === 'doc-unavailable'))
  slow.socket.pause()
  const edits = 100
  let document = Automerge.init<Record<string, Uint8Array>>()
  for (let n = 0; n < edits; n++) {
    document = Automerge.change(document, d => { d[n] = randomBytes(200_000) })
    const changes = [Automerge.getLastLocalChange(document)!]
    const data = Automerge.encodeSyncMessage(
      { heads: Automerge.getHeads(document), need: [], have: [], changes } as never
    )
    const told = seen.latencies.length
    writer.say({ ...sync, senderId: 'writer', data })
    await until(() => seen.latencies.length > told)
  }
  slow.socket.resume()
  let copy = Automerge.init<unknown>()
  let state = Automerge.initSyncState()
  let messages = 0
  await until(() => {
    for (const { data } of slow.frames.splice(0)) {
      if (data === undefined) continue
      messages++
      ;[copy, state] = Automerge.receiveSyncMessage(copy, state, data as Uint8Array)
      const [next, reply] = Automerge.generateSyncMessage(copy, state)
      state = next
      if (reply !== null) slow.say({ ...sync, data: reply })
    }
    return Automerge.hasHeads(copy, Automerge.getHeads(document))
  })
  t.ok(messages < edits / 2, `${messages} messages for ${edits} edits`)
  t.strictSame(seen.refused, [])
})

t.test('a half-open connection is dropped, one that answers pings stays', async t => {
  const { url, port, engine } = await serve(t, { pingInterval: 1_000 })
  const alive = await raw(t, url)
  alive.say(join)
  await once(await handshaken(t, port), 'close')
  t.equal(alive.socket.readyState, WebSocket.OPEN)
  t.equal(engine.stats().peers, 1)
})

t.test('closing: everyone hears 1001, a mute peer does not hold it up', async t => {
  const { url, port, close, engine } = await serve(t)
  const polite = await raw(t, url)
  polite.say(join)
  await handshaken(t, port)
  await until(() => engine.stats().connections === 2)
  await close()
  t.match(await polite.closed, { code: 1001, reason: /^RELAY_CLOSING/ })
  t.equal(engine.stats().connections, 0)
})

/** A TCP socket that did the WebSocket handshake and then reads, but never answers. */
async function handshaken (t: Test, port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  socket.write(
    'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: ' +
      `13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`
  )
  await once(socket, 'data')
  socket.resume()
  return socket
}

t.test('open sockets are told, each with what has gone over it', async t => {
  const { url, sockets } = await serve(t)
  t.strictSame([...sockets.open], [])
  const { repo } = client(t, url)
  const handle = repo.create({ n: 1 })
  await until(() => [...sockets.open].some(({ followed }) => followed.size === 1))
  const other = await raw(t, url) // after it: a client that is slow to connect tries again
  const [first, second] = [...sockets.open]
  t.equal(sockets.open.size, 2)
  t.match(first, {
    key: /^connection-\d+$/, peerId: repo.peerId, address: '127.0.0.1', principal: 'anonymous', backlog: 0
  })
  t.strictSame([...first!.followed], [handle.documentId])
  t.ok(
    first!.received.messages >= 2 && first!.received.bytes > 100 && first!.sent.messages >= 1 && first!.sent.bytes > 10
  )
  t.ok(first!.age >= second!.age && second!.age > 0)
  t.equal(second!.peerId, '')
  other.socket.terminate()
  await until(() => sockets.open.size === 1)
})

t.test('a peer that takes no message as large as a document is told that there is none, and stays', async t => {
  const { url, engine, seen } = await serve(t, { maxMessage: 200_000 })
  const undisturbed = await witness(t, url)
  const large = Automerge.from({ noise: new Uint8Array(randomBytes(300_000)) })
  await engine.merge(documentId as DocumentId, [Automerge.save(large)])
  const { frames, say, closed } = await raw(t, url)
  say(join)
  say({ type: 'access', senderId: 'raw', targetId: 'relay' })
  say({ ...sync, type: 'request' })
  await until(() => frames.some(({ code }) => code === 'RELAY_DOCUMENT_TOO_LARGE'))
  t.ok(frames.some(({ type }) => type === 'doc-unavailable'))
  t.notOk(frames.some(({ type }) => type === 'sync'))
  t.equal(seen.withheld, 1)
  await engine.merge(documentId as DocumentId, [Automerge.save(Automerge.change(large, doc => {
    doc.noise = new Uint8Array(1)
  }))])
  t.equal(await undisturbed(), 0)
  t.equal(await Promise.race([closed, 'open']), 'open')
  t.strictSame(seen.refused, [])
})

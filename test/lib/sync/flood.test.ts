import t from 'tap'
import { once } from 'node:events'
import { randomBytes } from 'node:crypto'
import WebSocket from 'ws'
import * as Automerge from '@automerge/automerge'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'
import { newDocumentId } from '../../../lib/ids.ts'
import { client, idOf, serve, until } from './server.ts'

interface Doc { n: number }

/** A peer that has joined and sends what it is told to. */
async function raw (url: string, documentId: string) {
  const socket = new WebSocket(url)
  const closed = once(socket, 'close').then(([code, reason]) => `${code} ${reason}`)
  await once(socket, 'open')
  socket.send(encodeCbor({ type: 'join', senderId: 'flood', supportedProtocolVersions: ['1'] }))
  const sync = (message: object) => {
    const data = Automerge.encodeSyncMessage({ heads: [], need: [], have: [], changes: [], ...message } as never)
    socket.send(encodeCbor({ type: 'sync', senderId: 'flood', targetId: 'x', documentId, data }))
  }
  return { closed, sync }
}

t.test('a peer that sends faster than can be seen to is closed, and nobody else notices', async t => {
  const { url, seen } = await serve(t, { maxBacklog: 2_000_000 })
  const [a, b] = [client(t, url), client(t, url)]
  const ours = a.repo.create<Doc>({ n: 0 })
  await until(() => seen.latencies.length > 0) // it is there to be found
  const theirs = await b.repo.find<Doc>(ours.url)
  const { closed, sync } = await raw(url, idOf(ours))
  const document = Automerge.change(Automerge.init<Record<string, unknown>>(), d => {
    d['large'] = randomBytes(300_000)
  })
  // its dependency is not there: Automerge is asked about each
  const change = Automerge.getLastLocalChange(Automerge.change(document, d => { d['more'] = randomBytes(300_000) }))!
  for (let n = 0; n < 100; n++) sync({ heads: Automerge.getHeads(document), changes: [change] })
  t.match(await closed, /RELAY_PEER_SLOW/)
  ours.change(d => { d.n = 1 })
  await until(() => theirs.doc().n === 1)
  t.strictSame(seen.refused, ['RELAY_PEER_SLOW'])
})

t.test('a request for what nobody has takes no document', async t => {
  const { url, engine } = await serve(t)
  const socket = new WebSocket(url)
  await once(socket, 'open')
  socket.send(encodeCbor({ type: 'join', senderId: 'asker', supportedProtocolVersions: ['1'] }))
  const data = Automerge.encodeSyncMessage({
    heads: [], need: [], have: [{ lastSync: [], bloom: new Uint8Array() }], changes: []
  })
  const ids = Array.from({ length: 20_000 }, () => newDocumentId())
  const answers = new Promise<void>(resolve => {
    let count = 0
    socket.on('message', () => { if (++count === ids.length + 1) resolve() }) // one is `peer`
  })
  for (const documentId of ids) {
    socket.send(encodeCbor({ type: 'request', senderId: 'asker', targetId: 'x', documentId, data }))
  }
  await answers
  t.equal(engine.stats().documents, 0)
  socket.terminate()
})

import t from 'tap'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import WebSocket from 'ws'
import * as Automerge from '@automerge/automerge'
import { newDocumentId } from '../../../lib/ids.ts'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'
import { client, serve, until } from '../sync/server.ts'

t.test('who sends faster than is read is slowed down, and nothing is lost', async t => {
  // 200 at once
  const { url, engine, limits, seen } = await serve(t, { limits: { messageRate: 100 }, pingInterval: 100 })
  const { repo } = client(t, url)
  const handles = Array.from({ length: 150 }, (_, n) => repo.create({ n })) // some messages each
  await until(() => limits.refusals.met.get('messageRate') === 1)
  t.ok(seen.in.length >= 200)
  const before = seen.in.length
  await sleep(1000)
  // and a chunk that was read already
  t.ok(seen.in.length < before + 300, `${seen.in.length - before} messages in a second`)
  for (const { documentId } of handles) await until(async () => await engine.snapshot(documentId as never) !== null)
  t.strictSame(seen.refused, [], 'nobody was closed, although no ping was answered meanwhile')
})

t.test('bytes, before, at and past what may come at once', async t => {
  const { url, limits } = await serve(t, { limits: { byteRate: 1_000 }, maxFrame: 10_000 })
  const socket = new WebSocket(url)
  t.teardown(() => { socket.terminate() })
  await once(socket, 'open')
  const join = encodeCbor({ type: 'join', senderId: 'bytes', supportedProtocolVersions: ['1'] })
  const ping = async () => {
    const answered = once(socket, 'pong')
    socket.ping()
    await answered
  }
  socket.send(join)
  let left = 10_000 - join.length
  const fill = (bytes: number) => {
    const data = Automerge.encodeSyncMessage({ heads: [], need: [], have: [], changes: [] })
    const frame = {
      type: 'doc-unavailable', senderId: 'bytes', targetId: '', documentId: newDocumentId(), padding: data
    }
    const size = encodeCbor(frame as never).length
    socket.send(encodeCbor({ ...frame, targetId: 'x'.repeat(bytes - size) } as never))
    left -= bytes
  }
  fill(left - 1000 - 200)
  await ping()
  t.notOk(limits.refusals.met.has('byteRate'))
  fill(left + 2_000) // past it, by more than comes in the meantime
  await until(() => limits.refusals.met.get('byteRate') === 1)
  const started = performance.now()
  await ping()
  t.ok(performance.now() - started > 500, 'what comes next waits')
  t.equal(socket.readyState, WebSocket.OPEN)
})

t.test('pings are messages, too', async t => {
  const { url, limits } = await serve(t, { limits: { messageRate: 1 } })
  const socket = new WebSocket(url)
  t.teardown(() => { socket.terminate() })
  await once(socket, 'open')
  for (let n = 0; n < 100; n++) socket.ping()
  await until(() => limits.refusals.met.has('messageRate'))
  t.pass()
})

t.test('who follows nothing and says nothing is closed, who follows something is not', async t => {
  const { url, limits, seen, engine } = await serve(t, { limits: { idle: 200 }, pingInterval: 50 })
  const { repo } = client(t, url)
  const handle = repo.create({ n: 1 })
  await until(async () => await engine.snapshot(handle.documentId as never) !== null)
  const socket = new WebSocket(url)
  await once(socket, 'open')
  socket.send(encodeCbor({ type: 'join', senderId: 'idle', supportedProtocolVersions: ['1'] }))
  const [code, reason] = await once(socket, 'close')
  t.match([code, String(reason)], [1008, /^RELAY_IDLE: /])
  await sleep(500)
  t.strictSame(seen.refused, ['RELAY_IDLE'])
  t.equal(engine.stats().peers, 1)
  t.ok(limits)
})

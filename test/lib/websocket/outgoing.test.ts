import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket as Stream } from 'node:net'
import { randomBytes } from 'node:crypto'
import WebSocket, { WebSocketServer } from 'ws'
import { Outgoing } from '../../../lib/websocket/outgoing.ts'
import { largestMessage } from '../../../lib/websocket/largest-message.ts'
import { until } from '../../client.ts'

const MiB = 2 ** 20

/** A WebSocket and what is at its other end. */
async function pair (t: Test) {
  const http = createServer()
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
  t.teardown(() => {
    client.terminate()
    http.close()
  })
  const [socket, request] = await once(server, 'connection') as [WebSocket, { socket: Stream }]
  await once(client, 'open')
  const events: Array<Buffer | 'ping'> = []
  client.on('message', (data: Buffer) => { events.push(data) })
  client.on('ping', () => { events.push('ping') })
  return {
    socket,
    client,
    events,
    wire: request.socket,
    outgoing: new Outgoing(request.socket, () => socket.readyState === WebSocket.OPEN)
  }
}

t.test('messages of every size arrive whole and in order', async t => {
  const { outgoing, events } = await pair(t)
  const tail = Buffer.from('the end')
  const sizes = [10, MiB - 7, MiB - 6, MiB, 3 * MiB - 7, 3 * MiB, 5, 2 * MiB - 3, 70_000]
  const heads = sizes.map(size => randomBytes(size))
  outgoing.send(heads.slice(0, 6), tail)
  for (const head of heads.slice(6)) outgoing.send([head], tail)
  await until(() => events.length === heads.length)
  for (const [n, head] of heads.entries()) {
    t.ok(Buffer.concat([head, tail]).equals(events[n] as Buffer), `${head.length} bytes`)
  }
  t.equal(outgoing.waiting, 0)
  outgoing.send([heads[0]!], tail)
  await until(() => events.length === heads.length + 1)
})

t.test('no frame is larger than 1 MiB, and pings go between them', async t => {
  const { outgoing, socket, client, events } = await pair(t)
  const large = randomBytes(64 * MiB)
  client.pause()
  outgoing.send([large], Buffer.of(1))
  t.ok(outgoing.waiting > 32 * MiB, 'it waits, and is not copied')
  socket.ping()
  client.resume()
  await until(() => events.length === 2)
  t.equal(events[0], 'ping')
  t.ok(Buffer.concat([large, Buffer.of(1)]).equals(events[1] as Buffer))
  // tungstenite's bound is on the frame: so is this
  const { client: strict, outgoing: other } = await pair(t)
  const receiver = (strict as unknown as {
    _receiver: {
      _payloadLength: number,
      getData (
        callback: unknown
      ): void
    }
  })._receiver
  let largest = 0
  const getData = receiver.getData.bind(receiver)
  receiver.getData = callback => {
    largest = Math.max(largest, receiver._payloadLength)
    getData(callback)
  }
  const received = once(strict, 'message')
  other.send([randomBytes(5 * MiB)], Buffer.of(1))
  await received
  t.equal(largest, MiB)
})

t.test('what waits is forgotten with the socket', async t => {
  const { outgoing, client, socket } = await pair(t)
  client.pause()
  outgoing.send([randomBytes(64 * MiB)], Buffer.of(1))
  const closed = once(socket, 'close')
  client.terminate()
  await closed
  outgoing.close()
  t.equal(outgoing.waiting, 0)
})

t.test('what a peer takes in one message is told by how it asks', async t => {
  t.equal(largestMessage({ origin: 'https://app.example' }), Infinity)
  t.equal(largestMessage({ 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' }), 100 * MiB)
  t.equal(largestMessage({}), 64 * MiB)
})

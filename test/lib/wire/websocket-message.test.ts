import t from 'tap'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { randomBytes } from 'node:crypto'
import WebSocket, { WebSocketServer } from 'ws'
import { encodeMessages } from '../../../lib/wire/websocket-message.ts'

t.test('messages of every length class are read by a WebSocket client as they were', async t => {
  const http = createServer()
  const server = new WebSocketServer({ server: http, perMessageDeflate: false })
  http.listen(0, '127.0.0.1')
  await once(http, 'listening')
  t.teardown(() => { http.close() })
  const tail = Buffer.from('tail')
  const heads = [0, 1, 121, 122, 123, 65_531, 65_532, 100_000].map(length => randomBytes(length))
  server.on('connection', (_socket, request) => {
    request.socket.write(encodeMessages(heads, tail))
    request.socket.write(encodeMessages([heads[3]!], tail))
  })
  const client = new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}`)
  t.teardown(() => { client.terminate() })
  const expected = [...heads, heads[3]!]
  const messages: Array<{ data: Buffer, isBinary: boolean }> = []
  await new Promise<void>(resolve => {
    client.on('message', (data: Buffer, isBinary) => {
      if (messages.push({ data, isBinary }) === expected.length) {
        resolve()
      }
    })
  })
  for (const [n, head] of expected.entries()) {
    t.ok(messages[n]!.isBinary)
    t.ok(Buffer.concat([head, tail]).equals(messages[n]!.data), `${head.length} bytes`)
  }
})

t.test('lengths beyond 32 bits have their place', async t => {
  const header = encodeMessages([{ length: 0 } as unknown as Uint8Array], new Uint8Array(70_000)).subarray(0, 10)
  t.strictSame([...header], [0x82, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70])
})

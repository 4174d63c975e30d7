import t, { type Test } from 'tap'
import net from 'node:net'
import { once } from 'node:events'
import { buffer } from 'node:stream/consumers'
import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import relay from '../../app.ts'
import { listen } from '../helper.ts'
import { scratch } from '../scratch.ts'

const upgrade = (path: string, headers: string[] = [
  `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`, 'Sec-WebSocket-Version: 13'
]) =>
  ['GET ' + path + ' HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket', ...headers, '', ''].join('\r\n')

async function connect (t: Test, http: string): Promise<net.Socket> {
  const socket = net.connect(Number(new URL(http).port), '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  return socket
}

t.test('refused upgrades leave nothing open, wherever in the server', async t => {
  const app = Fastify()
  app.get('/plain', async () => 'plain')
  app.register(relay, { prefix: '/sync', storage: await scratch(t) })
  const { http, close } = await listen(t, app)
  const sockets: net.Socket[] = []
  for (const path of ['/nowhere', '/plain', '/sync/nowhere', '/sync/metrics', '/sync/api/bundles/x']) {
    for (let n = 0; n < 5; n++) {
      const socket = await connect(t, http)
      socket.write(upgrade(path))
      await once(socket, 'data')
      sockets.push(socket)
    }
  }
  await close()
  for (const socket of sockets) if (!socket.closed) await once(socket.resume(), 'close')
  t.equal(app.server.connections, undefined)
})

t.test('a broken handshake is answered in JSON and closed', async t => {
  const app = Fastify()
  app.register(relay, { storage: await scratch(t) })
  const { http } = await listen(t, app)
  for (const headers of [[], ['Sec-WebSocket-Key: short', 'Sec-WebSocket-Version: 13'], [
    'Sec-WebSocket-Version: 99', `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`
  ]]) {
    const socket = await connect(t, http)
    socket.write(upgrade('/', headers))
    const [head, body] = (await buffer(socket)).toString().split('\r\n\r\n')
    t.match(head, /^HTTP\/1\.1 400 /)
    t.match(JSON.parse(body!), { error: /^Invalid WebSocket upgrade request/ })
  }
})

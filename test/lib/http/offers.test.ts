import { once } from 'node:events'
import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { WebSocketRequest, ignoreOffers } from '../../../lib/http/offers.ts'

/** Says what came: the method and body of a request, the protocol of an upgrade. */
async function serve (t: Test, options: ServerOptions = {}) {
  const listener: RequestListener = (request, response) => {
    text(request).then(body => response.end(`${request.method} ${body}`), () => {})
  }
  const server = createServer(options, listener)
  server.on(
    'upgrade',
    (request, socket) => { socket.end(`HTTP/1.1 101 Switching Protocols\r\n\r\nchanged to ${request.headers.upgrade}`) }
  )
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const ask = async (
    upgrade: string, method = 'GET', body = '', connection = 'Upgrade, HTTP2-Settings'
  ): Promise<string> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    const request = (connection: string) =>
      `${method} / HTTP/1.1\r\nHost: a\r\nConnection: ${connection}\r\nUpgrade: ${upgrade}\r\n` +
      `Content-Length: ${body.length}\r\n\r\n${body}`
    socket.write(request(connection))
    const [first] = await once(socket, 'data')
    if (String(first).startsWith('HTTP/1.1 200')) socket.end(request(`close, ${connection}`)) // the connection goes on
    else socket.end()
    return [first, await text(socket)].map(answer => String(answer).split('\r\n\r\n')[1]).join(' + ')
  }
  return { server, ask }
}

t.test('a server of one’s own takes offers of WebSocket only', async t => {
  const { ask } = await serve(t, { IncomingMessage: WebSocketRequest })
  t.equal(await ask('h2c'), 'GET  + GET ')
  t.equal(await ask('h2c', 'POST', 'a body'), 'POST a body + POST a body')
  t.equal(await ask('TLS/1.2, anything', 'PUT', 'another'), 'PUT another + PUT another')
  t.match(await ask('websocket'), /^changed to websocket/)
  t.match(await ask('WebSocket'), /^changed to WebSocket/)
})

t.test('a host’s server ignores what none takes, and keeps the offers that its owner takes', async t => {
  const { server, ask } = await serve(t)
  t.match(await ask('h2c', 'POST', 'lost'), /^changed to h2c/, 'Node’s way')
  ignoreOffers(server)
  ignoreOffers(server)
  t.equal(await ask('h2c', 'POST', 'a body'), 'POST a body + POST a body')
  t.match(await ask('its-own/1'), /^changed to its-own/)
  t.match(await ask('websocket'), /^changed to websocket/)
})

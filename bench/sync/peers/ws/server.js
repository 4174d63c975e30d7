// The floor: a bare `ws` server without documents or storage, which sends every message to every socket, its sender's
// too (that is the acknowledgement). Uses the project's own `ws`. Plain JavaScript, as the other peers.
import http from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'

const ANSWER = 0xff // first byte of a receiver's answer: read and dropped

const server = http.createServer((_request, response) => { response.end('ok') })
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
sockets.on('connection', socket => {
  socket.on('error', () => {}) // a peer that went away
  socket.on('message', message => {
    if (message[0] === ANSWER) return
    for (const other of sockets.clients) if (other.readyState === WebSocket.OPEN) other.send(message, { binary: true })
  })
})
server.listen(Number(process.env.PORT), '127.0.0.1')

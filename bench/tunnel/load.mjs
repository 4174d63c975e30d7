// The callers of bench/tunnel.ts: node bench/tunnel/load.mjs <port> <connections> <seconds>. Each waits for its answer
// before it asks again; prints the answers per second, and the median and the 99th percentile of their times in ms.
import { connect } from 'node:net'

const [port, connections, seconds] = process.argv.slice(2).map(Number)
const body = '{"input":{"a":1,"b":2}}'
const request = Buffer.from('POST /__runner/task/app.tasks.add HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json; charset=utf-8\r\n' +
  `x-runner-token: bench-secret\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
const END = Buffer.from('"result":3}')

let answered = 0
const times = []
const sockets = Array.from({ length: connections }, () => {
  const socket = connect(port, '127.0.0.1')
  let start = performance.now()
  socket.on('connect', () => { socket.write(request) })
  socket.on('data', chunk => {
    if (!chunk.subarray(-END.length).equals(END)) throw new Error(`answered ${chunk}`)
    answered++
    if (answered % 16 === 0) times.push(performance.now() - start)
    start = performance.now()
    socket.write(request)
  })
  return socket
})
setTimeout(() => {
  times.sort((a, b) => a - b)
  process.stdout.write(JSON.stringify({ perSecond: answered / seconds, p50: times[times.length >> 1], p99: times[Math.floor(times.length * 0.99)], answered }))
  for (const socket of sockets) socket.destroy()
}, seconds * 1000)

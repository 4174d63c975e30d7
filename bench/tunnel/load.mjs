// The callers of bench/tunnel.ts, in one process for all rounds, so that it is compiled when it matters. Told `{ port,
// connections, seconds }` it calls: each connection waits for its answer before it asks again. It tells the answers per
// second, the median and the 99th percentile of their times in ms, and its own CPU per answer in us: well below that of
// the server, or it is the callers that are measured.
import { connect } from 'node:net'

const body = '{"input":{"a":1,"b":2}}'
const request = Buffer.from('POST /__runner/task/app.tasks.add HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ' +
  'application/json; charset=utf-8\r\n' +
  `x-runner-token: bench-secret\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
const END = Buffer.from('"result":3}')

process.on('message', ({ port, connections, seconds }) => {
  const { user, system } = process.cpuUsage()
  const times = []
  let answered = 0
  const sockets = Array.from({ length: connections }, () => {
    let start
    const ask = () => {
      start = performance.now()
      socket.write(request)
    }
    const callback = (length, buffer) => {
      if (buffer.compare(END, 0, END.length, length - END.length, length) !== 0) {
        throw new Error(`answered ${buffer.toString('latin1', 0, length)}`)
      }
      if (++answered % 16 === 0) times.push(performance.now() - start)
      ask()
    }
    // read into one buffer, without the events of a stream
    const socket = connect({ port, host: '127.0.0.1', onread: { buffer: Buffer.alloc(4096), callback } })
    return socket.on('connect', ask)
  })
  setTimeout(() => {
    for (const socket of sockets) socket.destroy()
    times.sort((a, b) => a - b)
    const used = process.cpuUsage()
    process.send({
      perSecond: answered / seconds,
      p50: times[times.length >> 1],
      p99: times[Math.floor(times.length * 0.99)],
      answered,
      callers: (used.user + used.system - user - system) / answered
    })
  }, seconds * 1000)
})

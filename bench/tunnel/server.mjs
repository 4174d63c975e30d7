// One of the servers that bench/tunnel.ts measures, in a process of its own; plain JavaScript, so that nothing is
// translated on the way: node bench/tunnel/server.mjs <kind> <dist>
import { randomUUID } from 'node:crypto'
import http from 'node:http'
import { createRequire } from 'node:module'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import Fastify from 'fastify'

const [kind, dist] = process.argv.slice(2)
const TOKEN = 'bench-secret'

/** Those of a tunnel's answer. */
const HEADERS = [
  'x-runner-request-id', randomUUID(), 'x-content-type-options', 'nosniff', 'x-frame-options', 'DENY',
  'access-control-allow-origin', '*',
  'content-type', 'application/json; charset=utf-8'
]

const add = async ({ a, b }) => a + b
const blob = Buffer.alloc(65536, 1)

/** Reads a file and forgets it. */
async function sink ({ file }) {
  const { stream } = await file.resolve()
  let bytes = 0
  for await (const chunk of stream) bytes += chunk.length
  return { bytes }
}

/** So many bytes. */
function source ({ bytes }) {
  let left = bytes
  return new Readable({
    read () {
      const size = Math.min(left, blob.length)
      left -= size
      this.push(size === 0 ? null : blob.subarray(0, size))
    }
  })
}

const servers = {
  async 'runner 5.5.0' () {
    const { r, globals, run, nodeExposure } = createRequire(import.meta.url)('runner-5.5.0/node')
    const task = r.task('app.tasks.add').run(add).build()
    const allowed = r.resource('app.tunnel').tags([globals.tags.tunnel])
      .init(async () => ({ mode: 'server', transport: 'http', tasks: [task.id], events: [] })).build()
    const exposure = nodeExposure.with({ http: { basePath: '/__runner', listen: { port: 0 }, auth: { token: TOKEN } } })
    const running = await run(r.resource('app').register([task, allowed, exposure]).build(), {
      logs: { printThreshold: null }
    })
    return running.getResourceValue(nodeExposure).server.address().port
  },

  async 'bare Fastify' () {
    const app = Fastify()
    const result = { type: 'object', properties: { ok: { type: 'boolean' }, result: { type: 'number' } } }
    app.post(
      '/__runner/task/app.tasks.add',
      { schema: { response: { 200: result } } },
      async ({ body: { input: { a, b } } }) => ({ ok: true, result: a + b })
    )
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server.address().port
  },

  async 'bare Node' () {
    const server = http.createServer((request, response) => {
      request.once('data', body => { // it comes in one piece
        const { input: { a, b } } = JSON.parse(body)
        const answer = JSON.stringify({ ok: true, result: a + b })
        response.writeHead(200, [...HEADERS, 'content-length', String(Buffer.byteLength(answer))]).end(answer)
      })
    })
    await new Promise(resolve => { server.listen(0, '127.0.0.1', resolve) })
    return server.address().port
  },

  plugin: () => ours(false),
  'fast path': () => ours(true)
}

async function ours (isFast) {
  const { default: tunnel, FastPath } = await import(pathToFileURL(path.resolve(dist, 'tunnel.js')).href)
  const fastPath = isFast ? new FastPath() : undefined
  const app = Fastify({ ...(isFast && { serverFactory: fastPath.serverFactory }) })
  await app.register(tunnel, { tokens: [TOKEN], fastPath, maxFile: 4e9 })
  app.tunnel.registerTask('app.tasks.add', add)
  app.tunnel.registerTask('app.tasks.sink', sink)
  app.tunnel.registerTask('app.tasks.source', async input => source(input))
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}

const port = await servers[kind]()
process.send({ port })
process.on('message', () => { process.send({ cpu: process.cpuUsage() }) })

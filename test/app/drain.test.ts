import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { json } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import t from 'tap'
import WebSocket from 'ws'
import relay from '../../app.ts'
import { listen, settled, start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { run, urlIn } from './executable.ts'

async function peers (ws: string, count: number) {
  const closes: Array<{ code: number, at: number }> = []
  const sockets = await Promise.all(Array.from({ length: count }, async () => {
    const socket = new WebSocket(ws)
    socket.on('close', code => { closes.push({ code, at: performance.now() }) })
    await once(socket, 'open')
    return socket
  }))
  return { sockets, closes }
}

t.test('readiness fails while peers are still served, then they are closed one after the other', async t => {
  const relay = run(t, ['0', '--drain-delay', '2000', '--drain-window', '600'])
  const http = urlIn(await relay.ready())
  await settled(http)
  const { closes } = await peers(http.replace('http', 'ws'), 4)
  relay.child.kill('SIGTERM')
  await until(async () => {
    const response = await fetch(`${http}/health/ready`)
    if (response.status === 200) return false
    t.match(await response.json(), {
      checks: { accepting: { status: 'failing', reason: 'RELAY_CLOSING' }, disk: { status: 'ok' } }
    })
    return true
  })
  t.strictSame(closes, [], 'nobody yet')
  t.equal((await fetch(`${http}/health/live`)).status, 200)
  t.equal((await fetch(`${http}/metrics`)).status, 200)
  t.equal((await relay.exit).code, 0)
  await until(() => closes.length === 4)
  t.strictSame(closes.map(({ code }) => code), [1001, 1001, 1001, 1001])
  t.ok(closes.at(-1)!.at - closes[0]!.at > 300, 'not all at once')
})

t.test('who comes while peers are closed is refused before the upgrade', async t => {
  const storage = await scratch(t)
  const app = Fastify()
  app.register(fp(async fastify => { await relay(fastify, { storage, drainWindow: 2_000 }) }))
  const { ws, http } = await listen(t, app)
  const { closes } = await peers(ws, 2)
  const drained = app.sockets.drain()
  const late = new WebSocket(ws)
  late.on('error', () => {})
  const [, response] = await once(late, 'unexpected-response')
  t.equal(response.statusCode, 503)
  t.ok(response.headers['retry-after'])
  t.equal((await fetch(`${http}/health/ready`)).status, 503)
  await drained
  await until(() => closes.length === 2)
  t.strictSame(closes.map(({ code }) => code), [1001, 1001])
})

t.test('a host’s close drains too', async t => {
  const { close, ws } = await start(t, { drainWindow: 300 })
  const { closes } = await peers(ws, 3)
  await close()
  await until(() => closes.length === 3)
  t.strictSame(closes.map(({ code }) => code), [1001, 1001, 1001])
  t.ok(closes.at(-1)!.at - closes[0]!.at > 100)
})

/** An upload whose second half waits for `finish`. */
function slowUpload (http: string, bundle: Buffer) {
  const request = httpRequest(`${http}/api/bundles`, {
    method: 'POST', agent: new Agent({ keepAlive: true }), headers: { 'content-length': bundle.length }
  })
  request.write(bundle.subarray(0, 100))
  const answered = once(request, 'response')
    .then(async ([response]) => ({ status: response.statusCode, body: await json(response) as { id: string } }))
  return { answered, finish: () => { request.end(bundle.subarray(100)) } }
}

t.test('a request under way when it closes is still answered, and what it brought is kept', async t => {
  const storage = await scratch(t)
  const running = run(t, ['0', '--storage', storage, '--close-timeout', '8000'])
  const url = urlIn(await running.ready())
  const { answered, finish } = slowUpload(url, Buffer.from(await (await fetch(`${url}/api/blank-tonk`)).arrayBuffer()))
  await sleep(200)
  running.child.kill('SIGTERM')
  await until(async () => await fetch(`${url}/health/live`).then(({ status }) => status !== 200, () => true))
  finish()
  const { status, body: { id } } = await answered
  t.equal(status, 200)
  t.match(await running.exit, { code: 0, signal: null })
  const next = run(t, ['0', '--storage', storage])
  t.equal((await fetch(`${urlIn(await next.ready())}/api/bundles/${id}`)).status, 200)
})

t.test('one that does not come to its end is cut off', async t => {
  const running = run(t, ['0', '--close-timeout', '300'])
  const url = urlIn(await running.ready())
  const { answered } = slowUpload(url, Buffer.alloc(1000))
  await sleep(200)
  running.child.kill('SIGTERM')
  await t.rejects(answered, { code: 'ECONNRESET' })
  const { code, stdout } = await running.exit
  t.equal(code, 0)
  t.match(stdout, /"requests":1,"msg":"closing before all requests are answered"/)
})

import { once } from 'node:events'
import http from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { until } from '../helper.ts'
import { exchange } from '../lib/tunnel/raw.ts'
import { TOKEN, call, closed, serve } from '../lib/tunnel/served.ts'

t.test('time and number of calls are limited', async t => {
  const { app, url } = await serve(t, { concurrency: 2, timeout: 40 })
  let end = (): void => {}
  const waiting = new Promise<void>(resolve => { end = resolve })
  const reasons: unknown[] = []
  app.tunnel.registerTask('wait', { concurrency: 1 }, async (_input, { signal }) => {
    signal.addEventListener('abort', () => reasons.push(signal.reason))
    await waiting
  })
  app.tunnel.registerTask('other', { timeout: 10_000 }, async () => { await waiting })
  app.tunnel.registerTask('quick', () => 1)
  t.match(await call(url, 'wait'), { status: 504, body: { error: { code: 'TIMEOUT' } } })
  t.match(reasons, [{ code: 'TIMEOUT' }], 'its signal told it')
  const limited = await call(url, 'wait')
  t.match(limited, { status: 429, body: { error: { code: 'RATE_LIMITED' } } }, 'it keeps its place until it ends')
  t.equal(limited.headers.get('retry-after'), '1')
  const other = call(url, 'other')
  await until(() => app.tunnel.entries()[1]!.tally.inFlight === 1)
  t.match(await call(url, 'quick'), { status: 503, body: { error: { code: 'OVERLOADED' } } })
  end()
  t.equal((await other).status, 200)
  t.equal((await call(url, 'wait')).status, 200)
  const [tally] = app.tunnel.entries().map(({ tally }) => tally)
  t.strictSame(Object.fromEntries(tally!.results), { TIMEOUT: 1, RATE_LIMITED: 1, ok: 1 })
  t.equal(tally!.inFlight, 0)
})

t.test('a caller who leaves before the body is there is not served', async t => {
  const { app, url } = await serve(t)
  let ran = 0
  app.tunnel.registerTask('x', () => { ran++ })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.write(`POST /__runner/task/x HTTP/1.1\r\nhost: h\r\nx-runner-token: ${TOKEN}\r\ncontent-length: 100\r\n\r\n{`)
  await sleep(50)
  socket.destroy()
  await until(() => app.tunnel.entries()[0]!.tally.results.has('REQUEST_ABORTED'))
  t.equal(ran, 0)
})

t.test('a caller who leaves while it is found out who it is is not served', async t => {
  let leave = (): void => {}
  const validators = [async () => { leave(); await new Promise(resolve => setTimeout(resolve, 100)); return true }]
  const { app, url } = await serve(t, { tokens: [], validators })
  let ran = 0
  app.tunnel.registerTask('x', () => { ran++ })
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  leave = () => { socket.destroy() }
  socket.write('POST /__runner/task/x HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\n{}')
  await until(() => app.tunnel.entries()[0]!.tally.results.has('REQUEST_ABORTED'))
  t.equal(ran, 0)
})

t.test('too much is refused in words, and not read to its end', async t => {
  const { app, url } = await serve(t, { maxBody: 1000 })
  app.tunnel.registerTask('x', () => 1)
  const headers: Array<[string, string]> = [['x-runner-token', TOKEN]]
  const answer = await exchange(url, { method: 'POST', path: '/__runner/task/x', headers, body: 'x'.repeat(1001) })
  t.match(answer, { status: 413, headers: { connection: 'close' }, body: /PAYLOAD_TOO_LARGE/ })
  let sent = 0
  const request = http.request(`${url}/__runner/task/x`, { method: 'POST', headers: { 'x-runner-token': TOKEN } })
  const sending = (async () => {
    while (!request.destroyed && sent < 1e9) {
      if (request.write(Buffer.alloc(10_000)) === false) {
        await Promise.race([once(request, 'drain'), closed(request)])
      } else sent += 10_000
    }
  })().catch(() => {})
  const gone = closed(request)
  request.on('error', () => {})
  const [response] = await once(request, 'response')
  t.equal(response.statusCode, 413)
  response.on('error', () => {}).resume()
  await gone
  await sending
  t.ok(sent < 1e9, 'the connection ended')
})

t.test('a refused upload is not read for long', async t => {
  const { app, url } = await serve(t)
  app.tunnel.registerTask('x', () => 1)
  const request = http.request(`${url}/__runner/task/x`, { method: 'POST', headers: { 'x-runner-token': 'wrong' } })
  request.on('error', () => {})
  const gone = closed(request)
  const sending = (async () => {
    for (;;) {
      if (request.destroyed) {
        break
      } else if (!request.write(Buffer.alloc(100_000))) {
        await Promise.race([once(request, 'drain'), closed(request)])
      }
    }
  })().catch(() => {})
  const [response] = await once(request, 'response')
  t.equal(response.statusCode, 401)
  response.on('error', () => {}).resume()
  await gone
  await sending
})

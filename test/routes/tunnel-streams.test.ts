import { once } from 'node:events'
import http from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import t from 'tap'
import { until } from '../helper.ts'
import { TOKEN, call, closed, serve } from '../lib/tunnel/served.ts'

t.test('a result stream that fails', async t => {
  const { app, url } = await serve(t)
  app.tunnel.registerTask('early', () => new Readable({ read () { this.destroy(new Error('disk')) } }))
  app.tunnel.registerTask('late', () => {
    const stream = new PassThrough()
    stream.write('half')
    setTimeout(() => stream.destroy(new Error('disk')), 20)
    return stream
  })
  t.match(
    await call(url, 'early'),
    { status: 500, body: { error: { code: 'STREAM_ERROR', message: 'Internal Error' } } },
    'before anything was sent'
  )
  const response = await fetch(`${url}/__runner/task/late`, { method: 'POST', headers: { 'x-runner-token': TOKEN } })
  t.equal(response.status, 200)
  await t.rejects(response.text(), /terminated/, 'half of it is not taken for the whole')
  await until(() => app.tunnel.entries().every(({ tally }) => tally.results.size === 1)) // its reader knows before
  t.strictSame(app.tunnel.entries().map(({ tally }) => Object.fromEntries(tally.results)), [{ STREAM_ERROR: 1 }, {
    STREAM_ERROR: 1
  }])
  app.tunnel.registerTask('next', () => 'works')
  t.equal((await call(url, 'next')).body.result, 'works')
})

t.test('a reader who leaves ends the stream', async t => {
  const { app, url } = await serve(t)
  const stream = new Readable({ read () { this.push(Buffer.alloc(1000)) } })
  app.tunnel.registerTask('endless', () => stream)
  const request = http.request(`${url}/__runner/task/endless`, { method: 'POST', headers: { 'x-runner-token': TOKEN } })
  request.on('error', () => {}).end()
  const [response] = await once(request, 'response')
  await once(response, 'data')
  request.destroy()
  await closed(stream)
  await until(() => app.tunnel.entries()[0]!.tally.results.size === 1)
  t.strictSame([...app.tunnel.entries()[0]!.tally.results], [['REQUEST_ABORTED', 1]])
})

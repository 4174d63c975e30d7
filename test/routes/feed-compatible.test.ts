import t from 'tap'
import { WebSocket } from 'ws'
import { start, until } from '../helper.ts'
import { StandInAppView } from '../lib/feed/appview.ts'
import { Jetstream } from '../lib/feed/jetstream.ts'
import { happen } from '../lib/feed/network.ts'

t.test('what is made for jetstream-turbo finds its routes, but a dead feed is unhealthy', async t => {
  const server = await Jetstream.start()
  t.teardown(async () => { await server.close() })
  const appView = await StandInAppView.start(t)
  const feed = { hosts: server.url, appView: appView.url, appViewRate: 1_000, compatible: true }
  const { http, ws, close } = await start(t, { feed })
  const get = async (path: string) => {
    const response = await fetch(http + path)
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
    return { status: response.status, body: isJson ? JSON.parse(text) : text }
  }
  await until(async () => (await get('/api/v1/health')).body.data.diagnostics.stream_connected)
  const socket = new WebSocket(`${ws}/api/v1/ws`)
  const messages: any[] = []
  socket.on('message', data => messages.push(JSON.parse(String(data))))
  const closed = new Promise<number>(resolve => { socket.once('close', resolve) })
  await new Promise(resolve => { socket.once('open', resolve) })
  for (let n = 0; n < 3; n++) happen(server, { did: 'did:plc:anna', collection: 'app.bsky.feed.post' })
  await until(() => messages.length === 3)
  t.match(messages[0], {
    message: { did: 'did:plc:anna', kind: 'commit' },
    hydrated_metadata: { author_profile: { handle: 'anna.test' } },
    metrics: {}
  })
  t.match(await get('/api/v1/stats'), {
    status: 200,
    body: {
      status: 'success', data: { total_records_processed: 3, cache_user_misses: Number, cache_post_hit_rate: 0 }
    }
  })
  t.match(await get('/api/v1/metrics'), { status: 200, body: /^jetstream_turbo_total_records_processed 3$/m })
  t.match(await get('/api/v1/health'), {
    status: 200,
    body: { status: 'healthy', data: { healthy: true, redis_connected: false, sqlite_available: true } }
  })
  t.strictSame(await get('/ready'), { status: 200, body: '' })
  t.equal((await get('/api/v1/ws')).status, 400)
  server.refusal = { status: 400, body: 'subscribe: invalid options' }
  server.cut()
  await until(async () => (await get('/ready')).status === 503)
  t.match(await get('/api/v1/health'), {
    status: 503,
    body: { status: 'unhealthy', data: { healthy: false, diagnostics: { stream_connected: false } } }
  })
  await close()
  t.equal(await closed, 1001)
})

t.test('they are not there unless they are asked for', async t => {
  const { http } = await start(t, { feed: { hosts: 'ws://127.0.0.1:9', hydrate: false } })
  for (const path of ['/api/v1/health', '/ready']) t.equal((await fetch(http + path)).status, 404, path)
})

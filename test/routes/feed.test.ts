import t from 'tap'
import { WebSocket } from 'ws'
import { Jetstream } from '../lib/feed/jetstream.ts'
import { happen, until } from '../lib/feed/network.ts'
import { start } from '../helper.ts'

t.test('the feed over HTTP', async t => {
  const server = await Jetstream.start()
  t.teardown(async () => { await server.close() })
  const { http, close } = await start(t, {
    feed: { hosts: server.url, hydrate: false, required: true, keepBytes: 1024 * 1024 }
  })
  const get = async (path: string) => {
    const response = await fetch(http + path)
    return { status: response.status, body: await response.json() as any }
  }
  await until(async () => (await get('/feed/ready')).status === 200)
  for (let n = 0; n < 40; n++) {
    happen(server, { collection: n % 4 === 0 ? 'app.bsky.feed.post' : 'app.bsky.graph.follow' })
  }
  await until(async () => (await get('/feed/stats')).body.records.last === 40)

  const page = await get('/feed/records?limit=15')
  t.equal(page.status, 200)
  t.equal(page.body.records.length, 15)
  t.match(page.body, {
    next: 15,
    last: 40,
    records: [{
      number: 1, event: { kind: 'commit', did: /^did:/ }, references: [], visibility: 'unknown', partial: false
    }]
  })
  const posts = await get('/feed/records?after=5&collection=app.bsky.feed.*')
  t.strictSame(posts.body.records.map(({ number }: { number: number }) => number), [9, 13, 17, 21, 25, 29, 33, 37])
  t.equal(posts.body.next, 40)
  for (const query of ['after=x', 'after=-1', 'limit=0', 'limit=5000', 'collection=']) {
    t.equal((await get(`/feed/records?${query}`)).status, 400, query)
  }

  const response = await fetch(`${http}/feed/events?kind=commit`, { headers: { 'last-event-id': '38' } })
  t.equal(response.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  let text = ''
  const reading = (async () => {
    for await (const chunk of response.body!) {
      text += Buffer.from(chunk).toString()
    }
  })().catch(() => {})
  happen(server, { collection: 'app.bsky.feed.post' })
  await until(() => text.includes('id: 41'))
  t.strictSame([...text.matchAll(/^id: (\d+)$/gm)].map(match => match[1]), ['39', '40', '41'])
  t.equal((await get('/feed/events?after=nothing')).status, 400)

  server.garble('nonsense')
  await until(async () => (await get('/feed/dead-letters')).body.deadLetters.length === 1)
  const [letter] = (await get('/feed/dead-letters')).body.deadLetters
  t.match(letter, { from: 'source', frame: 'nonsense' })
  t.strictSame(await (await fetch(`${http}/feed/dead-letters/${letter.id}`, { method: 'POST' })).json(), {
    done: false, problem: 'it is no event'
  })
  t.equal((await fetch(`${http}/feed/dead-letters/${letter.id}`, { method: 'DELETE' })).status, 204)
  t.equal((await fetch(`${http}/feed/dead-letters/${letter.id}`, { method: 'DELETE' })).status, 404)
  t.strictSame((await get('/feed/gaps')).body, { gaps: [] })

  t.match(await (await fetch(`${http}/feed/seal`, { method: 'POST' })).json(), { files: 1, last: /^feed_.*\.db$/ })
  t.equal((await get('/feed/health')).status, 200)

  for (let n = 0; n < 3; n++) {
    happen(server, { collection: 'app.bsky.feed.post', record: { text: 'x'.repeat(500_000) } })
  }
  await until(async () => (await get('/feed/stats')).body.records.last === 44)
  await fetch(`${http}/feed/seal`, { method: 'POST' })
  for (const path of ['/feed/records?after=40', '/feed/events?after=40']) {
    t.match(await get(path), { status: 410, body: { code: 'RELAY_FEED_CURSOR_GONE', oldest: 44 } }, `${path}: more ` +
      'than keepBytes, so it is not kept')
  }
  t.strictSame((await get('/feed/records')).body, { records: [], next: 44, last: 44 })
  t.match((await get('/health/ready')).body, { checks: { feed: { status: 'ok' } } })
  server.refusal = { status: 400, body: 'subscribe: invalid options' }
  server.cut()
  await until(async () => (await get('/feed/health')).status === 503)
  t.match(await get('/health/ready'), {
    status: 503, body: { checks: { feed: { status: 'failing', reason: /source/ } } }
  })
  await close()
  await reading
  t.match(text, /event: closing/, 'readers are told that the relay closes')
})

/** A consumer over a WebSocket: what it was sent, and how it ended. */
async function consume (url: string, socket = new WebSocket(url)) {
  const heard = {
    numbers: [] as number[],
    messages: [] as any[],
    status: 101,
    close: undefined as [number, string] | undefined,
    socket
  }
  socket.on('message', data => {
    const message = JSON.parse(String(data))
    heard.messages.push(message)
    heard.numbers.push(message.number)
  })
  socket.on('error', () => {})
  socket.on('close', (code, reason) => { heard.close = [code, String(reason)] })
  await new Promise<void>(resolve => {
    socket.once('open', resolve)
    socket.once('unexpected-response', (_request, response) => {
      heard.status = response.statusCode!
      response.resume()
      resolve()
    })
  })
  return heard
}

t.test('consumers over WebSockets: each with its cursor and filter, slow ones wait, and all are told how ' +
  'it ends', async t => {
  const server = await Jetstream.start()
  t.teardown(async () => { await server.close() })
  const { http, ws, close } = await start(t, { feed: { hosts: server.url, hydrate: false, keepBytes: 1024 * 1024 } })
  const last = async (): Promise<number> => (await (await fetch(`${http}/feed/stats`)).json() as any).records.last
  await until(async () => (await fetch(`${http}/feed/ready`)).ok)
  const text = 'x'.repeat(20_000)
  for (let n = 0; n < 200; n++) {
    happen(server, { collection: n % 2 === 0 ? 'app.bsky.feed.post' : 'app.bsky.graph.follow', record: { text } })
  }
  await until(async () => await last() === 200)

  const all = await consume(`${ws}/feed/events?after=0`)
  const some = await consume(`${ws}/feed/events?after=190&collection=app.bsky.feed.*`)
  const slow = await consume(`${ws}/feed/events?after=0`)
  slow.socket.pause()
  await until(() => all.numbers.length === 200 && some.numbers.length === 5)
  t.strictSame(some.numbers, [191, 193, 195, 197, 199])
  t.match(all.messages[0], { number: 1, event: { kind: 'commit' }, references: [], visibility: 'unknown' })
  happen(server, { collection: 'app.bsky.feed.post' })
  await until(() => all.numbers.length === 201 && some.numbers.length === 6)
  slow.socket.resume()
  await until(() => slow.numbers.length === 201)
  t.strictSame(slow.numbers, Array.from({ length: 201 }, (_, n) => n + 1))

  some.socket.send('hello')
  await until(() => some.close !== undefined)
  t.strictSame(some.close, [1008, 'RELAY_BAD_REQUEST'])
  for (const query of ['after=x', 'collection=']) {
    t.equal((await consume(`${ws}/feed/events?${query}`)).status, 400, query)
  }
  await fetch(`${http}/feed/seal`, { method: 'POST' })
  t.equal((await consume(`${ws}/feed/events?after=10`)).status, 410, 'it is not kept any more')
  await close()
  await until(() => all.close !== undefined)
  t.strictSame(all.close, [1001, 'RELAY_CLOSING'])
})

t.test('options that are wrong stop the start by name', async t => {
  for (const [feed, problem] of [
    [{ hosts: 'https://a' }, /feed\.hosts/], [{ collections: 'not an nsid' }, /feed\.collections/],
    [{ dids: 'nobody' }, /feed\.dids/],
    [{ collections: Array.from({ length: 101 }, (_, n) => `a.b.c${n}`).join() }, /feed\.collections: 101/],
    [{ shard: 2, shards: 2 }, /feed\.shard/],
    [{ didFile: '/nowhere' }, /feed\.didFile/], [{ wire: 'v3' }, /feed\.wire/],
    [{ sinks: [{ name: 'x' }] }, /feed\.sinks/], [{ hosst: 'wss://a' }, /hosts/]
  ] as const) {
    await t.rejects(start(t, { feed: feed as any }).then(async () => {}), {
      code: 'RELAY_BAD_OPTION', message: problem
    })
  }
})

import t, { type Test } from 'tap'
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net'
import { createClient } from 'redis'
import { eventOf } from '../../../../lib/feed/event.ts'
import { RedisSink, type RedisSinkOptions } from '../../../../lib/feed/sinks/redis.ts'
import type { FeedRecord } from '../../../../lib/feed/sinks/sink.ts'
import { silent } from '../../../../lib/log.ts'

const REDIS = process.env['REDIS_URL']
const skip = REDIS === undefined ? 'no REDIS_URL: .ci/redis run npx tap' : false
const DID = 'did:plc:author'

const recordOf = (number: number, at = 1_771_326_742_000 + number, text = `text ${number}`): FeedRecord => ({
  number,
  event: eventOf({
    did: DID,
    time_us: number,
    kind: 'commit',
    commit: { rev: 'a', operation: 'create', collection: 'app.bsky.feed.post', rkey: `r${number}`, record: { text } }
  }),
  hydration: {
    references: [{ role: 'author', id: DID, text: `{"did":"${DID}"}` }], visibility: 'public', partial: false, at
  }
})
const records = (from: number, to: number): FeedRecord[] =>
  Array.from({ length: to - from + 1 }, (_, n) => recordOf(from + n))

let streams = 0

async function start (t: Test, options: Partial<RedisSinkOptions> = {}) {
  const stream = `relay-test-${process.pid}-${++streams}`
  const client = await createClient({ url: REDIS! }).connect()
  t.teardown(async () => {
    await client.sendCommand(['FLUSHALL'])
    client.destroy()
  })
  const open = async (more: Partial<RedisSinkOptions> = {}): Promise<RedisSink> => {
    const sink = await RedisSink.open({
      url: REDIS!, stream, layout: 'record', writer: 'w', log: silent, timeout: 2_000, ...options, ...more
    })
    t.teardown(async () => { await sink.close() })
    return sink
  }
  const entries = async () => await client.xRange(stream, '-', '+') ?? []
  const numbers = async (): Promise<number[]> =>
    (await entries()).map(({ message }) => JSON.parse(message['record']!).number)
  return { client, open, entries, numbers, stream, sink: await open() }
}

/** Redis behind a proxy that may be cut or hang. */
async function proxy (t: Test) {
  const { hostname, port } = new URL(REDIS!)
  const sockets = new Set<Socket>()
  const state = { isDown: false, hangs: false, cutAfterRequest: false }
  const server = createServer(socket => {
    if (state.isDown) return socket.destroy()
    const redis = createConnection({ host: hostname, port: Number(port) })
    for (const one of [socket, redis]) {
      sockets.add(one)
      one.on('error', () => {}).on('close', () => {
        sockets.delete(one)
        socket.destroy()
        redis.destroy()
      })
    }
    socket.on('data', data => { if (!state.hangs) redis.write(data) })
    redis.on('data', data => {
      if (state.cutAfterRequest) socket.destroy()
      else socket.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => { for (const socket of sockets) socket.destroy() }
  t.teardown(() => {
    cut()
    server.close()
  })
  return { url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`, state, cut }
}

t.test('entries in order, with ids of our own', { skip }, async t => {
  const { sink, entries, numbers } = await start(t)
  t.strictSame(await sink.write(records(1, 3)), [])
  await sink.write(records(4, 300))
  t.strictSame(await numbers(), records(1, 300).map(({ number }) => number))
  t.equal((await entries())[1]!.id, '1771326742002-2')
  t.match(sink.stats(), { connected: true, added: 300, repeats: 0, problem: null })
})

t.test('the fields of both known programs', { skip }, async t => {
  const graze = await start(t, { layout: 'graze' })
  await graze.sink.write(records(1, 1))
  const { message } = (await graze.entries())[0]!
  t.strictSame(Object.keys(message), ['data'])
  t.match(JSON.parse(message['data']!), {
    at_uri: `at://${DID}/app.bsky.feed.post/r1`, hydrated_metadata: { user: { did: DID } }
  })
  const turbo = await start(t, { layout: 'turbo' })
  await turbo.sink.write(records(1, 1))
  const { message: other } = (await turbo.entries())[0]!
  t.strictSame(Object.keys(other), ['at_uri', 'did', 'message', 'hydrated_at'])
  t.match(JSON.parse(other['message']!), { hydrated_metadata: { author_profile: { did: DID } } })
})

t.test('what comes again, cut otherwise, is there once; after a restart too', { skip }, async t => {
  const { sink, open, numbers } = await start(t)
  await sink.write(records(1, 10))
  await sink.write(records(1, 10))
  const again = await open()
  await again.write(records(8, 12))
  t.strictSame(await numbers(), records(1, 12).map(({ number }) => number))
  t.match(again.stats(), { added: 2, repeats: 3 })
})

t.test('two feeds that write to one stream lose nothing to each other', { skip }, async t => {
  const { sink, open, numbers } = await start(t)
  const other = await open({ writer: 'other' })
  await sink.write([recordOf(50, 2_000_000_000_000)])
  await other.write(records(1, 5))
  await sink.write([recordOf(51, 1_999_999_999_999)])
  t.strictSame(await numbers(), [50, 1, 2, 3, 4, 5, 51])
})

t.test('trimmed by length, or by age', { skip }, async t => {
  const { sink, entries } = await start(t, { maxLength: 100 })
  for (let n = 0; n < 10; n++) await sink.write(records(n * 100 + 1, n * 100 + 100))
  const { length } = await entries()
  t.ok(length >= 100 && length <= 300, String(length))
  const aged = await start(t, { maxAge: 60_000 })
  const now = Date.now()
  await aged.sink.write(Array.from({ length: 500 }, (_, n) => recordOf(n + 1, now - 3_600_000 + n)))
  await aged.sink.write(Array.from({ length: 100 }, (_, n) => recordOf(n + 501, now + n)))
  const kept = (await aged.entries()).length
  t.ok(kept >= 100 && kept <= 200, String(kept))
})

t.test('a connection that is lost, or lost after Redis has done it, or hangs: nothing is lost and nothing is there ' +
  'twice', {
  skip
}, async t => {
  const { url, state, cut } = await proxy(t)
  const { sink, numbers } = await start(t, { url, timeout: 300 })
  await sink.write(records(1, 2))
  cut()
  state.isDown = true
  await t.rejects(sink.write(records(3, 4)))
  await t.rejects(sink.write(records(3, 4)))
  t.match(sink.stats(), { connected: false, problem: /./ })
  state.isDown = false
  await sink.write(records(3, 4))

  state.cutAfterRequest = true
  await t.rejects(sink.write(records(5, 6)))
  state.cutAfterRequest = false
  await sink.write(records(5, 6))

  state.hangs = true
  await t.rejects(sink.write(records(7, 8)), { message: /does not answer within 300 ms/ })
  state.hangs = false
  await sink.write(records(7, 8))
  t.strictSame(await numbers(), [1, 2, 3, 4, 5, 6, 7, 8])
})

t.test('a full Redis takes nothing of a batch, and all of it once there is room', { skip }, async t => {
  const { sink, client, numbers } = await start(t)
  await sink.write(records(1, 2))
  await client.sendCommand(['CONFIG', 'SET', 'maxmemory', '1'])
  await t.rejects(sink.write(records(3, 200)), { message: /OOM/ })
  t.match(sink.stats(), { problem: /OOM/ })
  t.strictSame(await numbers(), [1, 2])
  await client.sendCommand(['CONFIG', 'SET', 'maxmemory', '0'])
  await sink.write(records(3, 200))
  t.equal((await numbers()).length, 200)
  t.equal(sink.stats()['problem'], null)
})

t.test('a batch that is given up', { skip }, async t => {
  const { url, state } = await proxy(t)
  const { sink } = await start(t, { url, timeout: 60_000 })
  await sink.write(records(1, 1))
  state.hangs = true
  const abort = new AbortController()
  const writing = sink.write(records(2, 2), abort.signal)
  setImmediate(() => { abort.abort(new Error('closing')) })
  await t.rejects(writing, { message: 'closing' })
  await t.rejects(sink.write(records(2, 2), abort.signal), { message: 'closing' })
})

t.test('no Redis at the start is no reason not to start; a bad URL is', async t => {
  const sink = await RedisSink.open({
    url: 'redis://user:secret@127.0.0.1:1', stream: 's', layout: 'record', writer: 'w', log: silent
  })
  t.teardown(async () => { await sink.close() })
  await t.rejects(sink.write(records(1, 1)))
  t.notMatch(JSON.stringify(sink.stats()), /secret/)
  for (const url of ['', 'http://a.test', 'localhost:6379', 'redis']) {
    await t.rejects(
      RedisSink.open({ url, stream: 's', layout: 'record', writer: 'w', log: silent }),
      { code: 'RELAY_BAD_OPTION' },
      url
    )
  }
})

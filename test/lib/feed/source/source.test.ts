import t, { type Test } from 'tap'
import type { FeedEvent } from '../../../../lib/feed/event.ts'
import type { Gap } from '../../../../lib/feed/pipeline/gap.ts'
import type { Position } from '../../../../lib/feed/position.ts'
import type { Dial, Listener } from '../../../../lib/feed/source/dial.ts'
import { EVERYTHING, type Filter } from '../../../../lib/feed/source/filter.ts'
import { Source } from '../../../../lib/feed/source/source.ts'
import { silent } from '../../../../lib/log.ts'
import { dial } from '../../../../plugins/feed.ts'
import { Jetstream, type JetstreamOptions } from '../jetstream.ts'
import { happen, invent, until } from '../network.ts'

const serve = async (t: Test, options: JetstreamOptions = {}): Promise<Jetstream> => {
  const server = await Jetstream.start(options)
  t.teardown(async () => { await server.close() })
  return server
}

interface Listening { source: Source, events: FeedEvent[], gaps: Gap[], rejected: string[], positions: Position[] }

function listen (
  t: Test,
  servers: Array<Jetstream | string>,
  {
    wire = 'v1' as 'v1' | 'v2', filter = EVERYTHING as Filter, from = undefined as Position | undefined,
    with: dialed = dial
  } = {}
): Listening {
  const events: FeedEvent[] = []
  const gaps: Gap[] = []
  const rejected: string[] = []
  const positions: Position[] = []
  const source = new Source({
    hosts: servers.map(server => ({ url: typeof server === 'string' ? server : server.url, wire })),
    filter,
    dial: dialed,
    log: silent,
    take (event, position) { events.push(event); positions.push(position) },
    async gap (gap) { gaps.push(gap) },
    rejected (_frame, reason) { rejected.push(reason) }
  })
  t.teardown(() => { source.close() })
  source.start(from)
  return { source, events, gaps, rejected, positions }
}

const unique = (events: FeedEvent[]): Set<string> => new Set(events.map(({ id }) => id))
const hour = 3_600_000_000

for (const wire of ['v1', 'v2'] as const) {
  t.test(`${wire}: every event comes, and after a cut it goes on where it was`, async t => {
    const server = await serve(t)
    const { events, source, gaps } = listen(t, [server], { wire })
    await until(() => source.state === 'connected')
    for (let n = 0; n < 20; n++) happen(server)
    await until(() => events.length === 20)
    server.cut()
    for (let n = 0; n < 20; n++) happen(server)
    await until(() => unique(events).size === 40)
    t.match(server.requests[1], /cursor=/)
    t.equal(source.connections, 2)
    t.strictSame(gaps, [])
    if (wire === 'v2') t.equal(events.length, 41, 'a sequence number is inclusive: one repeat')
  })

  t.test(`${wire}: on another host it goes on by time, rewound`, async t => {
    const [a, b] = [await serve(t), await serve(t, { firstSeq: 5_000 })]
    const both = (event = invent()): void => { a.push(event); b.push(event) }
    const { events, source, positions } = listen(t, [a, b], { wire })
    await until(() => source.state === 'connected')
    for (let n = 0; n < 10; n++) both()
    await until(() => events.length === 10)
    a.refusal = { status: 503, body: 'service not ready' }
    a.cut()
    for (let n = 0; n < 10; n++) both()
    await until(() => unique(events).size === 20)
    t.match(b.requests[0], /cursor=\d{16}/)
    t.ok(Number(/cursor=(\d+)/.exec(b.requests[0]!)![1]) <= positions[9]!.timeUs - 5_000_000)
    t.match(source.position, { host: b.url, wire })
    t.equal(source.hosts.switches, 1)
  })

  t.test(`${wire}: what a server has no longer is had from another`, async t => {
    const [a, b] = [await serve(t), await serve(t)]
    const now = Date.now() * 1000
    const all = [4, 3, 2, 1, 0].map(ago => invent({ time_us: now - ago * hour }))
    for (const event of all) { a.push(event); b.push(event) }
    a.forget(4)
    const from: Position = { host: a.url, wire, cursor: wire === 'v1' ? now - 4 * hour : 1, timeUs: now - 4 * hour }
    const { events, gaps } = listen(t, [a, b], { wire, from })
    await until(() => unique(events).size >= 5)
    t.strictSame(gaps, [])
  })

  t.test(`${wire}: what nobody has is a gap with both ends, and it goes on`, async t => {
    const [a, b] = [await serve(t), await serve(t)]
    const now = Date.now() * 1000
    for (const ago of [4, 3, 2, 1]) {
      const event = invent({ time_us: now - ago * hour })
      a.push(event)
      b.push(event)
    }
    for (const server of [a, b]) server.forget(4)
    const from: Position = { host: a.url, wire, cursor: wire === 'v1' ? now - 4 * hour : 1, timeUs: now - 4 * hour }
    const { events, gaps } = listen(t, [a, b], { wire, from })
    await until(() => events.length === 1)
    t.match(gaps, [{ from, to: { timeUs: now - hour } }])
  })
}

t.test('a filtered stream that was quiet is no gap', async t => {
  const server = await serve(t)
  const now = Date.now() * 1000
  for (const ago of [4, 3, 2, 1]) happen(server, { time_us: now - ago * hour, collection: 'app.bsky.feed.like' })
  happen(server, { time_us: now, collection: 'app.rare.thing' })
  const from: Position = { host: server.url, wire: 'v1', cursor: now - 4 * hour, timeUs: now - 4 * hour }
  const { events, gaps } = listen(t, [server], { from, filter: { collections: ['app.rare.*'], dids: [] } })
  await until(() => events.length === 1)
  t.strictSame(gaps, [])
  t.equal(server.requests.length, 2, 'the server was asked without the filter')
})

t.test('v2: a server that numbers anew is gone on with by time', async t => {
  const server = await serve(t, { firstSeq: 9_000 })
  const { events, source, gaps } = listen(t, [server], { wire: 'v2' })
  await until(() => source.state === 'connected')
  for (let n = 0; n < 10; n++) happen(server)
  await until(() => events.length === 10)
  server.renumber()
  server.cut()
  for (let n = 0; n < 5; n++) happen(server)
  await until(() => { happen(server); return unique(events).size > 15 })
  await until(() => unique(events).size === server.events.length)
  t.strictSame(gaps, [])
})

t.test('long lists go by a message after hello, short ones in the address', async t => {
  const server = await serve(t)
  const dids = Array.from({ length: 2_000 }, (_, n) => `did:plc:${String(n).padStart(24, 'a')}`)
  const { events } = listen(t, [server], { filter: { collections: [], dids } })
  await until(() => server.readers === 1)
  happen(server, { did: 'did:plc:nobody' })
  await until(async () => { happen(server, { did: dids[7]! }); return events.length > 0 })
  t.match(server.requests[0], /requireHello=true/)
  t.ok(server.requests[0]!.length < 200)
  t.ok(events.every(({ did }) => did === dids[7]))
})

t.test('a frame that is no event is told of, ten in a row are the end of a host', async t => {
  const [a, b] = [await serve(t), await serve(t)]
  const { events, rejected, source } = listen(t, [a, b])
  await until(() => a.readers === 1)
  for (let n = 0; n < 9; n++) a.garble('nonsense')
  happen(a)
  for (let n = 0; n < 9; n++) a.garble(Buffer.from([1, 2]))
  happen(a)
  await until(() => events.length === 2)
  t.equal(rejected.length, 18)
  for (let n = 0; n < 10; n++) a.garble('{"did":5}')
  await until(() => b.readers === 1)
  t.match(source.problem ?? '10 frames', /10 frames/)
})

t.test('what is refused for good is not asked again, and everybody’s refusal is told', async t => {
  const [a, b] = [await serve(t), await serve(t)]
  a.refusal = b.refusal = { status: 400, body: 'subscribe: invalid options: invalid collection: x\n' }
  const { source } = listen(t, [a, b])
  await until(() => source.state === 'refused')
  t.equal(a.requests.length + b.requests.length, 2)
  t.match([...source.hosts.refusals.values()], [/invalid collection/, /invalid collection/])
})

t.test('a paused source reads nothing, and loses nothing', async t => {
  const server = await serve(t)
  const { source, events } = listen(t, [server])
  await until(() => source.state === 'connected')
  source.pause()
  for (let n = 0; n < 5_000; n++) happen(server)
  const pong = server.readers
  t.equal(pong, 1)
  t.ok(events.length < 5_000)
  source.resume()
  await until(() => events.length === 5_000)
  t.equal(source.connections, 1)
})

t.test('liveness and backoff, in fake time', async t => {
  const { mock } = await import('node:test')
  mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'], now: 1_800_000_000_000 })
  t.teardown(() => { mock.timers.reset() })
  const dialed: Array<{ url: string, listener: Listener, pings: number, isOver: boolean }> = []
  const fake: Dial = (url, _options, listener) => {
    const socket = { url, listener, pings: 0, isOver: false }
    dialed.push(socket)
    return {
      send () {},
      pause () {},
      resume () {},
      ping () { socket.pings++ },
      terminate () { socket.isOver = true; listener.closed({ reason: 'terminated' }) }
    }
  }
  const settle = async (): Promise<void> => { for (let n = 0; n < 5; n++) await Promise.resolve() }
  const tick = async (ms: number): Promise<void> => {
    for (let at = 0; at < ms; at += 20_000) { mock.timers.tick(20_000); await settle() }
  }

  const quiet = listen(t, ['wss://a', 'wss://b'], { with: fake, filter: { collections: ['app.rare.thing'], dids: [] } })
  await settle()
  const [first] = dialed
  first!.listener.opened(Date.now())
  for (let week = 7 * 24 * 180; week > 0; week--) {
    mock.timers.tick(20_000)
    first!.listener.pong()
  }
  t.equal(dialed.length, 1, 'a week without an event is no sign of death when pings are answered')
  t.ok(quiet.source.position!.timeUs > (Date.now() - 60_000) * 1000, 'and the position moves by the clock')
  t.ok(quiet.source.position!.timeUs < (Date.now() - 5_000) * 1000)
  await tick(80_000)
  t.ok(first!.isOver, 'two pings unanswered are')
  await tick(2_000)
  t.match(dialed[1]?.url, /^wss:\/\/b.*cursor=\d{16}/)
  quiet.source.close()

  const before = dialed.length
  const failing = listen(t, ['wss://a'], { with: fake })
  for (let n = 0; n < 15; n++) {
    await settle()
    dialed.at(-1)!.listener.closed({ reason: 'broke' })
    mock.timers.tick(60_000)
  }
  await settle()
  t.equal(dialed.length - before, 16)
  failing.source.pause()
  const paused = dialed.at(-1)!
  paused.listener.opened()
  await tick(600_000)
  t.notOk(paused.isOver, 'a socket that is paused is not judged')
  failing.source.resume()
  await tick(100_000)
  t.ok(paused.isOver)
})

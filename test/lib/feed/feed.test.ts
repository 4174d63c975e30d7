import path from 'node:path'
import t, { type Test } from 'tap'
import type { FeedParts } from '../../../lib/feed/feed-parts.ts'
import { Feed } from '../../../lib/feed/feed.ts'
import { bare } from '../../../lib/feed/hydrate/hydrator.ts'
import { retry } from '../../../lib/feed/retry.ts'
import type { Batch, Sink } from '../../../lib/feed/sinks/sink.ts'
import { EVERYTHING } from '../../../lib/feed/source/filter.ts'
import { recordOf } from '../../../lib/feed/store/row.ts'
import { silent } from '../../../lib/log.ts'
import { dial } from '../../../plugins/feed.ts'
import { scratch } from '../../scratch.ts'
import { Jetstream } from './jetstream.ts'
import { happen, until } from './network.ts'

const serve = async (t: Test): Promise<Jetstream> => {
  const server = await Jetstream.start()
  t.teardown(async () => { await server.close() })
  return server
}

const open = async (t: Test, server: Jetstream, folder: string, parts: Partial<FeedParts> = {}): Promise<Feed> => {
  const feed = await Feed.open({
    folder,
    source: { hosts: [{ url: server.url, wire: 'v1' }], filter: EVERYTHING, dial },
    selection: { exclude: new Set(), shard: 0, shards: 1, shardBy: 'account' },
    hydrator: bare,
    sinks: [],
    store: { durability: 'write', rotateAfter: 900_000, rotateBytes: 1e9, keepFor: 1e9, keepBytes: 1e12 },
    log: silent,
    ...parts
  })
  feed.start()
  return feed
}

/** A sink that can be told to fail. */
class Memory implements Sink {
  readonly name = 'memory'
  readonly required: boolean
  isBroken = false
  refuses: (number: number) => boolean = () => false
  readonly batches: Batch[] = []
  constructor (required: boolean) { this.required = required }
  get numbers (): number[] { return this.batches.flat().map(({ number }) => number) }
  async write (batch: Batch) {
    if (this.isBroken) throw new Error('no connection')
    this.batches.push(batch)
    return batch.filter(({ number }) => this.refuses(number)).map(record => ({ record, reason: 'too long' }))
  }

  stats () { return {} }
  async close () {}
}

async function idsIn (feed: Feed): Promise<string[]> {
  const ids: string[] = []
  for (let after = 0; after < feed.store.lastNumber;) {
    const { rows, next } = await feed.store.rows.page(after, 1_000)
    ids.push(...rows.map(row => recordOf(row).event.id))
    after = next
  }
  return ids
}

t.test('events become records, once, and a feed that starts again goes on', async t => {
  const server = await serve(t)
  const folder = await scratch(t)
  const feed = await open(t, server, folder)
  await until(() => feed.source.state === 'connected')
  for (let n = 0; n < 100; n++) happen(server)
  await until(() => feed.records === 100)
  server.repeat()
  happen(server)
  await until(() => feed.records === 101)
  t.equal(feed.repeats, 100)
  await feed.close()
  t.strictSame(feed.problems, [])

  for (let n = 0; n < 50; n++) happen(server)
  const again = await open(t, server, folder)
  await until(() => again.records === 50)
  const ids = await idsIn(again)
  t.equal(new Set(ids).size, 151)
  t.equal(ids.length, 151, 'no repeats')
  await again.close()
})

t.test('a required sink holds the cursor and the source, and gets all when it works again', async t => {
  const server = await serve(t)
  const folder = await scratch(t)
  const sink = new Memory(true)
  sink.isBroken = true
  const feed = await open(t, server, folder, { sinks: [sink] })
  await until(() => feed.source.state === 'connected')
  const before = feed.position
  for (let n = 0; n < 6_000; n++) happen(server)
  await until(() => feed.buffer.isFull && feed.problems.length > 0)
  t.strictSame(feed.position, before)
  t.match(feed.problems, [/sink memory: no connection/])
  sink.isBroken = false
  await until(() => sink.numbers.length === 6_000)
  await until(() => !feed.buffer.isFull && feed.buffer.size === 0)
  t.strictSame(sink.numbers, Array.from({ length: 6_000 }, (_, n) => n + 1))
  t.strictSame(feed.problems, [])
  await feed.close()

  const fresh = new Memory(true)
  const again = await open(t, server, folder, { sinks: [fresh] })
  happen(server)
  await until(() => fresh.numbers.length === 1)
  t.strictSame(fresh.numbers, [6_001], 'it goes on where the sink was')
  await again.close()
})

t.test('a sink that is not required holds nothing up, and catches up from the files', async t => {
  const server = await serve(t)
  const sink = new Memory(false)
  sink.isBroken = true
  const feed = await open(t, server, await scratch(t), { sinks: [sink] })
  await until(() => feed.source.state === 'connected')
  for (let n = 0; n < 12_000; n++) happen(server)
  await until(() => feed.records === 12_000)
  await until(() => feed.buffer.size === 0)
  sink.isBroken = false
  await until(() => sink.numbers.length === 12_000)
  t.strictSame(sink.numbers, Array.from({ length: 12_000 }, (_, n) => n + 1))
  await feed.close()
})

t.test('what a sink refuses is a dead letter, which can be tried again', async t => {
  const server = await serve(t)
  const folder = await scratch(t)
  const sink = new Memory(true)
  sink.refuses = number => number === 2
  const feed = await open(t, server, folder, { sinks: [sink] })
  await until(() => feed.source.state === 'connected')
  for (let n = 0; n < 3; n++) happen(server)
  await until(() => feed.deadLetters.size === 1)
  const [letter] = feed.deadLetters.list
  t.match(letter, { from: 'memory', number: 2, reason: 'too long' })
  t.equal(await retry(feed, letter!.id), 'too long')
  sink.refuses = () => false
  t.equal(await retry(feed, letter!.id), undefined)
  t.equal(feed.deadLetters.size, 0)
  server.garble('{"did":5}')
  await until(() => feed.deadLetters.size === 1)
  await feed.close()
  const again = await open(t, server, folder, { sinks: [sink] })
  t.match(again.deadLetters.list, [{ from: 'source', frame: '{"did":5}', host: server.url }])
  await t.rejects(retry(again, 'none'), { code: 'RELAY_DEAD_LETTER_NOT_FOUND' })
  await again.close()
})

t.test('shards divide the stream, and nobody who is excluded gets in', async t => {
  const server = await serve(t)
  const folder = await scratch(t, { a: null, b: null })
  const excluded = 'did:plc:excluded'
  const shards = await Promise.all(['a', 'b'].map(async (name, shard) => {
    const selection: FeedParts['selection'] = { exclude: new Set([excluded]), shard, shards: 2, shardBy: 'account' }
    return await open(t, server, path.join(folder, name), { selection })
  }))
  await until(() => shards.every(({ source }) => source.state === 'connected'))
  for (let n = 0; n < 60; n++) happen(server)
  happen(server, { did: excluded })
  await until(() => shards.every(({ events, buffer }) => events === 61 && buffer.size === 0))
  const [a, b] = await Promise.all(shards.map(idsIn))
  t.equal(a!.length + b!.length, 60)
  t.ok(a!.length > 0 && b!.length > 0)
  t.equal(new Set([...a!, ...b!]).size, 60)
  const didsOf = (ids: string[]): Set<string> => new Set(ids.map(id => id.split(' ')[0]!))
  t.notOk([...didsOf(a!)].some(did => didsOf(b!).has(did)), 'an account is in one')
  for (const feed of shards) await feed.close()
})

t.test('a feed that loses its source says so', async t => {
  const server = await serve(t)
  const feed = await open(t, server, await scratch(t))
  await until(() => feed.source.state === 'connected')
  server.refusal = { status: 400, body: 'subscribe: invalid options: invalid collection: x' }
  server.cut()
  await until(() => feed.source.state === 'refused')
  t.match(feed.problems, [/source: answered 400: .*invalid collection/])
  await feed.close()
})

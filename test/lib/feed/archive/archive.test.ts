import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { Archive } from '../../../../lib/feed/archive/archive.ts'
import { verifyArchive, verifyRecords } from '../../../../lib/feed/archive/verify.ts'
import type { FeedParts } from '../../../../lib/feed/feed-parts.ts'
import { Feed } from '../../../../lib/feed/feed.ts'
import { bare } from '../../../../lib/feed/hydrate/hydrator.ts'
import type { Batch, Sink } from '../../../../lib/feed/sinks/sink.ts'
import { EVERYTHING } from '../../../../lib/feed/source/filter.ts'
import { silent } from '../../../../lib/log.ts'
import { FolderObjects } from '../../../../lib/objects/folder-objects.ts'
import type { ObjectStore } from '../../../../lib/objects/object-store.ts'
import { S3Objects } from '../../../../lib/objects/s3-objects.ts'
import { dial } from '../../../../plugins/feed.ts'
import { scratch } from '../../../scratch.ts'
import { Jetstream } from '../jetstream.ts'
import { happen, until } from '../network.ts'

const PREFIX = 'feed/'

class Memory implements Sink {
  readonly name = 'memory'
  readonly required = false
  readonly numbers: number[] = []
  readonly rewound: number[] = []
  isBroken = false
  async write (batch: Batch) {
    if (this.isBroken) throw new Error('no connection')
    this.numbers.push(...batch.map(({ number }) => number))
    return []
  }

  async rewind (after: number) { this.rewound.push(after) }
  stats () { return {} }
  async close () {}
}

async function start (
  t: Test,
  options: {
    objects?: (folder: string) => ObjectStore, store?: Partial<FeedParts['store']>, sinks?: Sink[], prefix?: string
  } = {}
) {
  const root = await scratch(t, { feed: null, archive: null, scratch: null })
  const [folder, archived] = [path.join(root, 'feed'), path.join(root, 'archive')]
  const server = await Jetstream.start()
  t.teardown(async () => { await server.close() })
  const open = async (): Promise<Feed> => {
    const objects = options.objects?.(archived) ?? new FolderObjects({ folder: archived })
    const feed = await Feed.open({
      folder,
      source: { hosts: [{ url: server.url, wire: 'v1' }], filter: EVERYTHING, dial },
      selection: { exclude: new Set(), shard: 0, shards: 1, shardBy: 'account' },
      hydrator: bare,
      sinks: options.sinks ?? [],
      archive: new Archive({
        objects,
        prefix: options.prefix ?? PREFIX,
        folder: path.join(folder, 'records'),
        scratch: path.join(folder, 'replay'),
        log: silent
      }),
      store: {
        durability: 'write', rotateAfter: 900_000, rotateBytes: 1e9, keepFor: 1e9, keepBytes: 1e12, ...options.store
      },
      log: silent
    })
    feed.start()
    return feed
  }
  const feed = await open()
  t.teardown(async () => { await feed.close() })
  await until(() => feed.source.state === 'connected')
  /** Records, and seals them. */
  const fill = async (count: number): Promise<void> => {
    const last = feed.store.lastNumber + count
    for (let n = 0; n < count; n++) happen(server)
    await until(() => feed.store.lastNumber === last)
    await feed.store.seal()
  }
  const verify = async () => await verifyArchive({
    objects: new FolderObjects({ folder: archived }), prefix: PREFIX, scratch: path.join(root, 'scratch')
  })
  return { folder, archived, server, feed, open, fill, verify }
}

const filesIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter(name => !name.includes('.open.')).sort()

t.test('sealed files are archived, verified, and only then dropped', async t => {
  const { folder, archived, feed, fill, verify } = await start(t, { store: { keepBytes: 1 } })
  for (const count of [20, 30, 10]) await fill(count)
  await until(() => feed.archive!.stored === 3)
  await until(async () => (await filesIn(path.join(folder, 'records'))).length === 0)
  const names = await filesIn(path.join(archived, PREFIX))
  t.equal(names.length, 6)
  t.match(names, [/^feed_.*_000000000000001\.db\.gz$/, /\.json$/, /_000000000000021\.db\.gz$/])
  t.strictSame(await verify(), { files: 3, rows: 60, firstNumber: 1, lastNumber: 60, gaps: [], problems: [] })

  // damage of every kind is found
  const [first, , second, manifest] = names.map(name => path.join(archived, PREFIX, name))
  const bytes = gunzipSync(await readFile(first!))
  bytes[bytes.length - 1]! ^= 1
  await writeFile(first!, gzipSync(bytes))
  t.match((await verify()).problems, [/_000000000000001\.db is not what was sealed/])
  await writeFile(first!, bytes.subarray(0, 100))
  t.match((await verify()).problems, [/_000000000000001\.db: incorrect header check/])
  await rm(first!)
  t.match((await verify()).problems, [/_000000000000001\.db: .*is gone/])
  const parsed = JSON.parse(await readFile(manifest!, 'utf8'))
  await writeFile(manifest!, JSON.stringify({ ...parsed, from: { ...parsed.from, cursor: 1 } }))
  await writeFile(first!, gzipSync(bytes))
  t.match((await verify()).problems, [/_000000000000001\.db is not/, /_000000000000021\.db does not begin where/])
  await rm(second!)
  await rm(manifest!)
  t.match((await verify()).problems, [/_000000000000001\.db is not/, /records 21 to 50 are missing/])
})

t.test('a store that fails, or brings back something else, keeps the files here, and is told', async t => {
  let fault: 'down' | 'mangled' | undefined = 'down'
  const objects = (folder: string): ObjectStore => {
    const real = new FolderObjects({ folder })
    return new Proxy(real, {
      get (target, name: keyof ObjectStore) {
        if (name === 'read' && fault === 'down') return async () => { throw new Error('no such bucket') }
        if (name === 'put' && fault === 'mangled') {
          return async (key: string, body: AsyncIterable<Buffer>) => {
            if (key.endsWith('.json')) throw new Error('not to be reached')
            for await (const chunk of body) chunk.fill(0)
            return await target.put(key, gzipSync('other bytes'))
          }
        }
        return (target[name] as () => unknown).bind(target)
      }
    })
  }
  const { archived, folder, feed, fill, open } = await start(t, { objects, store: { keepBytes: 1 } })
  await fill(10)
  await until(() => feed.archive!.problem !== undefined)
  t.match(feed.problems, ['archive: no such bucket'])
  t.equal((await filesIn(path.join(folder, 'records'))).length, 2, 'it stays')
  fault = 'mangled'
  await until(() => feed.archive!.problem?.includes('came back as something else') === true)
  t.match(await filesIn(path.join(archived, PREFIX)), [/\.gz$/], 'there is no manifest')
  await feed.close()

  fault = undefined
  const again = await open()
  await until(async () => (await filesIn(path.join(archived, PREFIX))).length === 2)
  await until(async () => (await filesIn(path.join(folder, 'records'))).length === 0)
  t.strictSame(again.problems, [])
  await again.close()
})

t.test('records are replayed from the archive and the files, and a sink that is far behind gets them too', async t => {
  const sink = new Memory()
  const { feed, fill, server } = await start(t, { store: { keepBytes: 1 }, sinks: [sink] })
  sink.isBroken = true
  for (const count of [700, 20]) await fill(count)
  await until(() => feed.archive!.stored === 2 && feed.store.sealed.length === 0)
  for (let n = 0; n < 30; n++) happen(server)
  await until(() => feed.store.lastNumber === 750)
  const all = Array.from({ length: 750 }, (_, n) => n + 1)
  sink.isBroken = false
  await until(() => sink.numbers.length >= 750)
  t.strictSame(sink.numbers, all)
  const [follower] = feed.followers
  sink.numbers.length = 0
  follower!.rewind(0)
  await until(() => sink.numbers.length >= 750)
  t.strictSame([sink.numbers, sink.rewound, follower!.missed], [all, [0], 0])
})

t.test('a folder of records is verified', async t => {
  const { folder, feed, fill } = await start(t)
  for (const count of [20, 30]) await fill(count)
  const records = path.join(folder, 'records')
  t.match(await verifyRecords(records), { files: 2, rows: 50, firstNumber: 1, lastNumber: 50, problems: [] })
  await rm(path.join(records, `${feed.store.sealed[0]!.file}.json`))
  t.match((await verifyRecords(records)).problems, [/_000000000000001\.db: it has no manifest/])
  t.match(await verifyRecords(path.join(records, 'none')), { files: 0, problems: [] })
})

const { TEST_S3_ENDPOINT: endpoint, TEST_S3_BUCKET: bucket = 'relay-test' } = process.env
const skip = endpoint === undefined && 'needs TEST_S3_ENDPOINT; `.ci/s3-server run npm test` brings a server'

t.test('a bucket is an archive', { skip }, async t => {
  const prefix = `feed-${process.pid}/`
  const open = (): ObjectStore => new S3Objects({ bucket, region: 'eu-north-1', endpoint: endpoint! })
  const sink = new Memory()
  const { feed, fill, folder } = await start(t, { objects: open, prefix, store: { keepBytes: 1 }, sinks: [sink] })
  for (const count of [20, 30]) await fill(count)
  await until(() => feed.archive!.stored === 2 && feed.store.sealed.length === 0 && sink.numbers.length === 50)
  const objects = open()
  t.teardown(async () => { await objects.close() })
  t.match(await verifyArchive({ objects, prefix, scratch: path.join(folder, 'verify') }), {
    files: 2, rows: 50, problems: []
  })
  sink.numbers.length = 0
  feed.followers[0]!.rewind(0)
  await until(() => sink.numbers.length === 50)
  t.strictSame(sink.numbers, Array.from({ length: 50 }, (_, n) => n + 1))
})

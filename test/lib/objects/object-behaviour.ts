import { createHash, randomBytes } from 'node:crypto'
import { rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import { RelayError } from '../../../lib/errors.ts'
import {
  allObjects, type ByteRange, type ObjectFile, type ObjectStore, type PutOptions, type StoredObject
} from '../../../lib/objects/object-store.ts'
import { scratch } from '../../scratch.ts'

const MiB = 1024 * 1024

export const newKey = (): string => `bundles/${randomBytes(16).toString('hex')}.tonk`

let files = 0

/** A new file in the test's folder, as an upload leaves one behind. */
export async function objectFile (t: Test, bytes: Uint8Array): Promise<ObjectFile> {
  const file = path.join(await scratch(t), `upload-${++files}`)
  await writeFile(file, bytes)
  return { path: file, size: bytes.length }
}

export async function opened (t: Test, store: ObjectStore, key: string): Promise<StoredObject> {
  const object = await store.open(key)
  if (object === null) throw new Error(`no object ${key}`)
  t.teardown(() => object.close())
  return object
}

export const read = async (object: StoredObject, range?: ByteRange): Promise<Buffer> =>
  await buffer(object.stream(range))

/** Rejects with this code, and is a RelayError as routes expect. */
export async function refuses (t: Test, running: Promise<unknown>, code: string): Promise<RelayError> {
  const error: unknown = await running.then(() => new Error('was not refused'), (error: unknown) => error)
  if (!(error instanceof RelayError)) throw error
  t.equal(error.code, code)
  return error
}

/** Whose an object is, and which version is replaced. */
async function ownership (t: Test, store: ObjectStore): Promise<void> {
  const key = newKey()
  const put = async (byte: number, options?: PutOptions): Promise<string> => {
    await store.put(key, await objectFile(t, Buffer.alloc(100, byte)), options)
    return (await opened(t, store, key)).etag
  }
  const owner = 'Ann Müller/ops, \u{1F43B}'
  const first = await put(1, { owner, replaces: null })
  t.equal((await opened(t, store, key)).owner, owner)
  await refuses(t, put(2, { owner, replaces: null }), 'RELAY_PRECONDITION_FAILED')
  await refuses(t, put(2, { owner, replaces: '"other"' }), 'RELAY_PRECONDITION_FAILED')
  t.same(await read(await opened(t, store, key)), Buffer.alloc(100, 1))
  const second = await put(2, { owner, replaces: first })
  await refuses(t, put(3, { owner: 'bob', replaces: first }), 'RELAY_PRECONDITION_FAILED')
  t.equal((await opened(t, store, key)).owner, owner)
  await put(4, { owner: 'bob', replaces: second })
  t.equal((await opened(t, store, key)).owner, 'bob')
  await store.remove(key)
  t.equal(await store.open(key), null)
  await store.remove(key)
  await put(5)
  t.equal((await opened(t, store, key)).owner, undefined, 'of what was deleted nothing is left')
}

/** All of them, some at a time. */
async function listed (store: ObjectStore, prefix: string, limit: number): Promise<Map<string, number>> {
  const all = new Map<string, number>()
  for (let after: string | undefined; ;) {
    const page = await store.list({ prefix, after, limit })
    for (const { key, size } of page) {
      if (after !== undefined && key <= after) throw new Error(`${key} after ${after}`)
      all.set(key, size)
      after = key
    }
    if (page.length > limit) throw new Error(`${page.length} are more than ${limit}`)
    if (page.length < limit) return all
  }
}

/** What every object store must do. `make` gives a store that is ready; each test uses keys of its own. */
export function objectBehaviour (t: Test, make: (t: Test) => Promise<ObjectStore>): void {
  const test = (name: string, run: (t: Test, store: ObjectStore) => Promise<void>) => {
    t.test(name, async t => {
      t.testdir()
      const store = await make(t)
      t.teardown(() => store.close())
      await run(t, store)
    })
  }

  test('lists every object under a prefix once, in the order of keys', async (t, store) => {
    const prefix = `bundles/${randomBytes(8).toString('hex')}/`
    const keys = ['a.tonk', 'a/1', 'a/b/c', 'a0', 'aB', 'b', 'c/1', 'c/2'].map(key => prefix + key)
    for (const [n, key] of [...keys.entries()].reverse()) await store.put(key, Buffer.alloc(n))
    for (const limit of [1, 3, 8, 1000]) {
      const all = await listed(store, prefix, limit)
      t.strictSame([...all], keys.map((key, n) => [key, n]), `${limit} at a time`)
    }
    const under = async (more: string, after?: string) => (
      await store.list({ prefix: prefix + more, after, limit: 10 })
    ).map(({ key }) => key.slice(prefix.length))
    t.strictSame(await under('a'), ['a.tonk', 'a/1', 'a/b/c', 'a0', 'aB'], 'a prefix may end within a word')
    t.strictSame(await under('a/'), ['a/1', 'a/b/c'])
    t.strictSame(await under('nothing/'), [])
    t.strictSame(
      await under('', `${prefix}a/`), ['a/1', 'a/b/c', 'a0', 'aB', 'b', 'c/1', 'c/2'], 'after what is no key'
    )
    t.strictSame(await under('', `${prefix}a/b/zzz`), ['a0', 'aB', 'b', 'c/1', 'c/2'])
    const { etag, modified } = (await store.list({ prefix: keys[5]!, limit: 1 }))[0]!
    const head = await store.head(keys[5]!)
    t.strictSame(
      [head?.etag, Math.trunc(head!.modified.getTime() / 1000)], [etag, Math.trunc(modified.getTime() / 1000)]
    )
    await store.remove(keys[0]!)
    t.notOk((await listed(store, prefix, 1000)).has(keys[0]!))
    const left: string[] = []
    for await (const { key } of allObjects(store, prefix)) left.push(key)
    t.strictSame(left, keys.slice(1))
  })

  test('takes bytes, a file and a stream', async (t, store) => {
    const bytes = randomBytes(6 * MiB)
    const bodies = [
      bytes, new Uint8Array(bytes), await objectFile(t, bytes),
      Readable.from([bytes.subarray(0, 10), bytes.subarray(10)], { objectMode: false })
    ]
    for (const body of bodies) {
      const key = newKey()
      const { etag } = await store.put(key, body)
      t.equal((await store.head(key))?.etag, etag)
      t.ok((await store.read(key))?.equals(bytes))
    }
    const empty = newKey()
    await store.put(empty, Readable.from([]))
    t.equal((await store.head(empty))?.size, 0)
    t.equal(await store.head(newKey()), null)
    t.equal(await store.read(newKey()), null)
  })

  test('stores only bytes of the SHA-256 that was asked for', async (t, store) => {
    for (const size of [0, 100, 6 * MiB]) {
      const bytes = randomBytes(size)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      for (
        const body of [
          () => bytes, () => Readable.from([bytes], { objectMode: false }), async () => await objectFile(t, bytes)
        ]
      ) {
        const key = newKey()
        await refuses(
          t, store.put(key, await body(), { sha256: sha256.replace(/./, x => x === '0' ? '1' : '0') }),
          'RELAY_CHECKSUM_MISMATCH'
        )
        t.equal(await store.head(key), null)
        await store.put(key, await body(), { sha256 })
        t.ok((await store.read(key))?.equals(bytes))
      }
    }
  })

  test('of many that make an object one does', async (t, store) => {
    const key = newKey()
    const puts = await Promise.allSettled(
      Array.from({ length: 8 }, async (_, n) => await store.put(key, Buffer.from(String(n)), { replaces: null }))
    )
    const [made] = puts.flatMap((put, n) => put.status === 'fulfilled' ? [n] : [])
    t.strictSame(
      puts.map(put => put.status === 'fulfilled' ? '' : put.reason.code).sort(),
      ['', ...Array.from({ length: 7 }, () => 'RELAY_PRECONDITION_FAILED')]
    )
    t.equal(String(await store.read(key)), String(made))
  })

  test('a call that is given up rejects with the reason of its signal', async (t, store) => {
    const [key, reason] = [newKey(), new Error('no longer wanted')]
    const signal = AbortSignal.abort(reason)
    for (
      const call of [
        store.open(key, { signal }), store.head(key, { signal }), store.put(key, Buffer.from('x'), { signal }),
        store.list({ prefix: 'bundles/', limit: 1, signal }), store.remove(key, { signal })
      ]
    ) {
      t.equal(await call.then(() => undefined, error => error), reason)
    }
    const aborter = new AbortController()
    let pushed = 0
    const body = new Readable({
      read () {
        if (++pushed <= 12) this.push(Buffer.alloc(MiB))
        else setImmediate(() => { aborter.abort(reason) }) // and gives no more
      }
    })
    t.equal(await store.put(key, body, { signal: aborter.signal }).then(() => undefined, error => error), reason)
    t.ok(body.destroyed)
    t.equal(await store.head(key), null)
  })

  test('a stream that breaks off stores nothing', async (t, store) => {
    const key = newKey()
    await store.put(key, Buffer.from('old'))
    for (const before of [0, 12]) {
      let pushed = 0
      const body = new Readable({
        read () { if (pushed++ < before) this.push(Buffer.alloc(MiB)); else this.destroy(new Error('gone')) }
      })
      t.match((await refuses(t, store.put(key, body), 'RELAY_STORE_UNAVAILABLE')).message, /gone/)
    }
    t.equal(String(await store.read(key)), 'old')
  })

  test('takes no key that a folder or a bucket would take otherwise', async (t, store) => {
    for (
      const key of [
        '', '/', 'a/', '/a', 'a//b', '.', '..', '../x', 'a/../b', 'a/./b', '.hidden', 'a/.b', 'é', 'a b', 'a\\b', 'a\0',
        'x.owner', 'a'.repeat(250), 'a/'.repeat(600)
      ]
    ) {
      for (
        const call of [
          () => store.open(key), () => store.head(key), () => store.put(key, Buffer.from('x')), () => store.remove(key)
        ]
      ) await refuses(t, call(), 'RELAY_INTERNAL')
    }
  })

  const put = async (t: Test, store: ObjectStore, key: string, bytes: Uint8Array) =>
    await store.put(key, await objectFile(t, bytes))

  test('an object has an owner, and is replaced only as the version that was looked at', ownership)

  test('is ready', async (t, store) => {
    await t.resolves(store.check('bundles/'))
  })

  test('gives back what was put', async (t, store) => {
    const [key, bytes] = [newKey(), randomBytes(1000)]
    await put(t, store, key, bytes)
    const object = await opened(t, store, key)
    t.equal(object.size, 1000)
    t.match(object.etag, /^"[^"]+"$/, 'a strong validator')
    t.ok(Math.abs(object.modified.getTime() - Date.now()) < 60_000, 'modified now')
    t.ok((await read(object)).equals(bytes))
    t.ok((await read(object)).equals(bytes), 'and again')
  })

  test('has nothing at a key that was never put', async (t, store) => {
    t.equal(await store.open(newKey()), null)
  })

  test('keeps an empty object', async (t, store) => {
    const key = newKey()
    await put(t, store, key, Buffer.alloc(0))
    const object = await opened(t, store, key)
    t.equal(object.size, 0)
    t.equal((await read(object)).length, 0)
  })

  test('reads ranges', async (t, store) => {
    const [key, bytes] = [newKey(), randomBytes(200_000)]
    await put(t, store, key, bytes)
    const object = await opened(t, store, key)
    const ranges = [
      [0, 1], [0, 10], [100_000, 170_000], [199_999, 200_000], [0, 200_000], [0, 0], [77, 77], [200_000, 200_000]
    ]
    for (const [start, end] of ranges as Array<[number, number]>) {
      t.ok((await read(object, { start, end })).equals(bytes.subarray(start, end)), `${start} to ${end}`)
    }
    const both = await Promise.all([
      read(object, { start: 5, end: 150_000 }), read(object, { start: 90_000, end: 200_000 })
    ])
    t.ok(both[0].equals(bytes.subarray(5, 150_000)) && both[1].equals(bytes.subarray(90_000)), 'two at once')
  })

  test('refuses ranges that are not in the object', async (t, store) => {
    const key = newKey()
    await put(t, store, key, randomBytes(10))
    const object = await opened(t, store, key)
    for (const [start, end] of [[0, 11], [-1, 5], [5, 4], [11, 11], [0.5, 2], [0, NaN]] as Array<[number, number]>) {
      await refuses(t, read(object, { start, end }), 'RELAY_RANGE_NOT_SATISFIABLE')
    }
  })

  test('keeps its ETag until it is replaced', async (t, store) => {
    const [key, other] = [newKey(), newKey()]
    await put(t, store, key, Buffer.from('one'))
    await put(t, store, other, Buffer.from('else'))
    const { etag } = await opened(t, store, key)
    t.equal((await opened(t, store, key)).etag, etag)
    await put(t, store, key, Buffer.from('two'))
    const replaced = await opened(t, store, key)
    t.not(replaced.etag, etag)
    t.equal((await read(replaced)).toString(), 'two')
    t.equal((await read(await opened(t, store, other))).toString(), 'else')
  })

  test('never mixes the old and the new bytes', async (t, store) => {
    const [key, before, after] = [newKey(), randomBytes(2 * MiB), randomBytes(2 * MiB)]
    await put(t, store, key, before)
    const object = await opened(t, store, key)
    const chunks: Buffer[] = []
    for await (const chunk of object.stream()) {
      if (chunks.length === 0) await put(t, store, key, after)
      chunks.push(chunk)
    }
    t.ok(Buffer.concat(chunks).equals(before), 'a stream under way ends as it began')
    try {
      t.ok((await read(object, { start: MiB, end: MiB + 10 })).equals(before.subarray(MiB, MiB + 10)))
    } catch (error) {
      t.match(error, { code: 'RELAY_OBJECT_CHANGED', statusCode: 503 })
    }
    t.ok((await read(await opened(t, store, key))).equals(after))
  })

  test('puts of one key at the same time leave one of them, whole', async (t, store) => {
    const [key, contents] = [newKey(), [1, 2, 3, 4].map(n => randomBytes(n * MiB))]
    await Promise.all(contents.map(async bytes => await put(t, store, key, bytes)))
    const stored = await read(await opened(t, store, key))
    t.equal(contents.filter(bytes => bytes.equals(stored)).length, 1)
  })

  test('stores a large object byte for byte', async (t, store) => {
    const [key, bytes] = [newKey(), randomBytes(40 * MiB + 1)]
    await put(t, store, key, bytes)
    const object = await opened(t, store, key)
    t.equal(object.size, bytes.length)
    t.ok((await read(object)).equals(bytes))
    const [start, end] = [5 * MiB - 3, 10 * MiB + 3]
    t.ok((await read(object, { start, end })).equals(bytes.subarray(start, end)), 'across the seams of parts')
  })

  test('streams that began before close run to their end, later ones are refused', async (t, store) => {
    const [key, bytes] = [newKey(), randomBytes(MiB)]
    await put(t, store, key, bytes)
    const object = await opened(t, store, key)
    const [first, second] = [object.stream(), object.stream({ start: 10, end: 20 })]
    await Promise.all([object.close(), object.close()])
    t.ok((await buffer(first)).equals(bytes))
    t.ok((await buffer(second)).equals(bytes.subarray(10, 20)))
    await refuses(t, read(object), 'RELAY_INTERNAL')
    await t.resolves(object.close())
  })

  test('a stream can be destroyed at any time', async (t, store) => {
    const [key, bytes] = [newKey(), randomBytes(MiB)]
    await put(t, store, key, bytes)
    const object = await opened(t, store, key)
    const destroyed = async (after: number) => {
      const stream = object.stream()
      const closed = new Promise(resolve => stream.once('close', resolve))
      for (let n = 0; n < after; n++) {
        await new Promise(resolve => stream.once('readable', () => resolve(stream.read(1))))
      }
      stream.destroy()
      await closed
    }
    await destroyed(0)
    await destroyed(1)
    const waiting = object.stream()
    waiting.read()
    waiting.destroy()
    await new Promise(resolve => waiting.once('close', resolve))
    t.ok((await read(object)).equals(bytes))
  })

  test('a put that fails leaves the old object', async (t, store) => {
    const key = newKey()
    await put(t, store, key, Buffer.from('old'))
    const missing = { path: path.join(t.testdirName, 'not-there'), size: 3 }
    const error = await refuses(t, store.put(key, missing), 'RELAY_STORE_UNAVAILABLE')
    t.ok(error.cause instanceof Error)
    t.notMatch(error.message, t.testdirName, 'no path in a message that clients may see')
    t.equal((await read(await opened(t, store, key))).toString(), 'old')
  })

  test('takes a file from another file system', async (t, store) => {
    const [key, bytes] = [newKey(), randomBytes(300_000)]
    const file = path.join('/dev/shm', `relay-test-${key}`)
    try {
      await writeFile(file, bytes)
    } catch {
      t.plan(0, 'needs /dev/shm')
      return
    }
    t.teardown(() => rm(file, { force: true }))
    if ((await stat(file)).dev === (await stat(t.testdirName)).dev) t.comment('/dev/shm is on the same file system')
    await store.put(key, { path: file, size: bytes.length })
    t.ok((await read(await opened(t, store, key))).equals(bytes))
  })
}

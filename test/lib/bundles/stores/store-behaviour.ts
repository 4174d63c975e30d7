import { randomBytes } from 'node:crypto'
import { rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import bs58check from 'bs58check'
import type { Test } from 'tap'
import { RelayError } from '../../../../lib/errors.ts'
import { isDocumentId, type DocumentId } from '../../../../lib/ids.ts'
import type { BundleFile, BundleStore, ByteRange, PutOptions, StoredBundle } from '../../../../lib/bundles/stores/store.ts'
import { scratch } from '../../../scratch.ts'

const MiB = 1024 * 1024

export function newId (): DocumentId {
  const id = bs58check.encode(randomBytes(16))
  if (!isDocumentId(id)) throw new Error(`not a document id: ${id}`)
  return id
}

let files = 0

/** A new file in the test's folder, as an upload leaves one behind. */
export async function bundleFile (t: Test, bytes: Uint8Array): Promise<BundleFile> {
  const file = path.join(await scratch(t), `upload-${++files}`)
  await writeFile(file, bytes)
  return { path: file, size: bytes.length }
}

export async function opened (t: Test, store: BundleStore, id: DocumentId): Promise<StoredBundle> {
  const bundle = await store.open(id)
  if (bundle === null) throw new Error(`no bundle ${id}`)
  t.teardown(() => bundle.close())
  return bundle
}

export const read = async (bundle: StoredBundle, range?: ByteRange): Promise<Buffer> => await buffer(bundle.stream(range))

/** Rejects with this code, and is a RelayError as routes expect. */
export async function refuses (t: Test, running: Promise<unknown>, code: string): Promise<RelayError> {
  const error: unknown = await running.then(() => new Error('was not refused'), (error: unknown) => error)
  if (!(error instanceof RelayError)) throw error
  t.equal(error.code, code)
  return error
}

/** Whose a bundle is, and which version is replaced. */
async function ownership (t: Test, store: BundleStore): Promise<void> {
  const id = newId()
  const put = async (byte: number, options?: PutOptions): Promise<string> => {
    await store.put(id, await bundleFile(t, Buffer.alloc(100, byte)), options)
    return (await opened(t, store, id)).etag
  }
  const owner = 'Ann Müller/ops, \u{1F43B}'
  const first = await put(1, { owner, replaces: null })
  t.equal((await opened(t, store, id)).owner, owner)
  await refuses(t, put(2, { owner, replaces: null }), 'RELAY_PRECONDITION_FAILED')
  await refuses(t, put(2, { owner, replaces: '"other"' }), 'RELAY_PRECONDITION_FAILED')
  t.same(await read(await opened(t, store, id)), Buffer.alloc(100, 1))
  const second = await put(2, { owner, replaces: first })
  await refuses(t, put(3, { owner: 'bob', replaces: first }), 'RELAY_PRECONDITION_FAILED')
  t.equal((await opened(t, store, id)).owner, owner)
  await put(4, { owner: 'bob', replaces: second })
  t.equal((await opened(t, store, id)).owner, 'bob')
  await store.remove!(id)
  t.equal(await store.open(id), null)
  await store.remove!(id)
  await put(5)
  t.equal((await opened(t, store, id)).owner, undefined, 'of what was deleted nothing is left')
}

/** All of them, some at a time. */
async function listed (store: BundleStore, limit: number): Promise<Map<string, number>> {
  const all = new Map<string, number>()
  for (let after: string | undefined; ;) {
    const page = await store.list!({ after, limit })
    for (const { id, size } of page) {
      if (after !== undefined && id <= after) throw new Error(`${id} after ${after}`)
      all.set(id, size)
      after = id
    }
    if (page.length > limit) throw new Error(`${page.length} are more than ${limit}`)
    if (page.length < limit) return all
  }
}

/** What every bundle store must do. `make` gives a store that is ready; each test uses ids of its own. */
export function storeBehaviour (t: Test, make: (t: Test) => Promise<BundleStore>): void {
  const test = (name: string, run: (t: Test, store: BundleStore) => Promise<void>) => {
    t.test(name, async t => {
      t.testdir()
      const store = await make(t)
      t.teardown(() => store.close())
      await run(t, store)
    })
  }

  test('list: every bundle once, in the order of ids', async (t, store) => {
    const ids = Array.from({ length: 5 }, () => newId())
    for (const [n, id] of ids.entries()) await store.put(id, await bundleFile(t, Buffer.alloc(n + 1)))
    for (const limit of [2, 5, 1000]) {
      const all = await listed(store, limit)
      t.strictSame(ids.map(id => all.get(id)), [1, 2, 3, 4, 5], `${limit} at a time`)
    }
    await store.remove!(ids[0]!)
    t.notOk((await listed(store, 1000)).has(ids[0]!))
  })

  const put = async (t: Test, store: BundleStore, id: DocumentId, bytes: Uint8Array) =>
    await store.put(id, await bundleFile(t, bytes))

  test('a bundle has an owner, and is replaced only as the version that was looked at', ownership)

  test('is ready', async (t, store) => {
    await t.resolves(store.check())
  })

  test('gives back what was put', async (t, store) => {
    const [id, bytes] = [newId(), randomBytes(1000)]
    await put(t, store, id, bytes)
    const bundle = await opened(t, store, id)
    t.equal(bundle.size, 1000)
    t.match(bundle.etag, /^"[^"]+"$/, 'a strong validator')
    t.ok(Math.abs(bundle.modified.getTime() - Date.now()) < 60_000, 'modified now')
    t.ok((await read(bundle)).equals(bytes))
    t.ok((await read(bundle)).equals(bytes), 'and again')
  })

  test('has nothing at an id that was never put', async (t, store) => {
    t.equal(await store.open(newId()), null)
  })

  test('keeps an empty bundle', async (t, store) => {
    const id = newId()
    await put(t, store, id, Buffer.alloc(0))
    const bundle = await opened(t, store, id)
    t.equal(bundle.size, 0)
    t.equal((await read(bundle)).length, 0)
  })

  test('reads ranges', async (t, store) => {
    const [id, bytes] = [newId(), randomBytes(200_000)]
    await put(t, store, id, bytes)
    const bundle = await opened(t, store, id)
    const ranges = [[0, 1], [0, 10], [100_000, 170_000], [199_999, 200_000], [0, 200_000], [0, 0], [77, 77], [200_000, 200_000]]
    for (const [start, end] of ranges as Array<[number, number]>) {
      t.ok((await read(bundle, { start, end })).equals(bytes.subarray(start, end)), `${start} to ${end}`)
    }
    const both = await Promise.all([read(bundle, { start: 5, end: 150_000 }), read(bundle, { start: 90_000, end: 200_000 })])
    t.ok(both[0].equals(bytes.subarray(5, 150_000)) && both[1].equals(bytes.subarray(90_000)), 'two at once')
  })

  test('refuses ranges that are not in the bundle', async (t, store) => {
    const id = newId()
    await put(t, store, id, randomBytes(10))
    const bundle = await opened(t, store, id)
    for (const [start, end] of [[0, 11], [-1, 5], [5, 4], [11, 11], [0.5, 2], [0, NaN]] as Array<[number, number]>) {
      await refuses(t, read(bundle, { start, end }), 'RELAY_RANGE_NOT_SATISFIABLE')
    }
  })

  test('keeps its ETag until it is replaced', async (t, store) => {
    const [id, other] = [newId(), newId()]
    await put(t, store, id, Buffer.from('one'))
    await put(t, store, other, Buffer.from('else'))
    const { etag } = await opened(t, store, id)
    t.equal((await opened(t, store, id)).etag, etag)
    await put(t, store, id, Buffer.from('two'))
    const replaced = await opened(t, store, id)
    t.not(replaced.etag, etag)
    t.equal((await read(replaced)).toString(), 'two')
    t.equal((await read(await opened(t, store, other))).toString(), 'else')
  })

  test('never mixes the old and the new bytes', async (t, store) => {
    const [id, before, after] = [newId(), randomBytes(2 * MiB), randomBytes(2 * MiB)]
    await put(t, store, id, before)
    const bundle = await opened(t, store, id)
    const chunks: Buffer[] = []
    for await (const chunk of bundle.stream()) {
      if (chunks.length === 0) await put(t, store, id, after)
      chunks.push(chunk)
    }
    t.ok(Buffer.concat(chunks).equals(before), 'a stream under way ends as it began')
    try {
      t.ok((await read(bundle, { start: MiB, end: MiB + 10 })).equals(before.subarray(MiB, MiB + 10)))
    } catch (error) {
      t.match(error, { code: 'RELAY_BUNDLE_CHANGED', statusCode: 503 })
    }
    t.ok((await read(await opened(t, store, id))).equals(after))
  })

  test('puts of one id at the same time leave one of them, whole', async (t, store) => {
    const [id, contents] = [newId(), [1, 2, 3, 4].map(n => randomBytes(n * MiB))]
    await Promise.all(contents.map(async bytes => await put(t, store, id, bytes)))
    const stored = await read(await opened(t, store, id))
    t.equal(contents.filter(bytes => bytes.equals(stored)).length, 1)
  })

  test('stores a large bundle byte for byte', async (t, store) => {
    const [id, bytes] = [newId(), randomBytes(40 * MiB + 1)]
    await put(t, store, id, bytes)
    const bundle = await opened(t, store, id)
    t.equal(bundle.size, bytes.length)
    t.ok((await read(bundle)).equals(bytes))
    const [start, end] = [5 * MiB - 3, 10 * MiB + 3]
    t.ok((await read(bundle, { start, end })).equals(bytes.subarray(start, end)), 'across the seams of parts')
  })

  test('streams that began before close run to their end, later ones are refused', async (t, store) => {
    const [id, bytes] = [newId(), randomBytes(MiB)]
    await put(t, store, id, bytes)
    const bundle = await opened(t, store, id)
    const [first, second] = [bundle.stream(), bundle.stream({ start: 10, end: 20 })]
    await Promise.all([bundle.close(), bundle.close()])
    t.ok((await buffer(first)).equals(bytes))
    t.ok((await buffer(second)).equals(bytes.subarray(10, 20)))
    await refuses(t, read(bundle), 'RELAY_INTERNAL')
    await t.resolves(bundle.close())
  })

  test('a stream can be destroyed at any time', async (t, store) => {
    const [id, bytes] = [newId(), randomBytes(MiB)]
    await put(t, store, id, bytes)
    const bundle = await opened(t, store, id)
    const destroyed = async (after: number) => {
      const stream = bundle.stream()
      const closed = new Promise(resolve => stream.once('close', resolve))
      for (let n = 0; n < after; n++) await new Promise(resolve => stream.once('readable', () => resolve(stream.read(1))))
      stream.destroy()
      await closed
    }
    await destroyed(0)
    await destroyed(1)
    const waiting = bundle.stream()
    waiting.read()
    waiting.destroy()
    await new Promise(resolve => waiting.once('close', resolve))
    t.ok((await read(bundle)).equals(bytes))
  })

  test('a put that fails leaves the old bundle', async (t, store) => {
    const id = newId()
    await put(t, store, id, Buffer.from('old'))
    const missing = { path: path.join(t.testdirName, 'not-there'), size: 3 }
    const error = await refuses(t, store.put(id, missing), 'RELAY_STORE_UNAVAILABLE')
    t.ok(error.cause instanceof Error)
    t.notMatch(error.message, t.testdirName, 'no path in a message that clients may see')
    t.equal((await read(await opened(t, store, id))).toString(), 'old')
  })

  test('takes a file from another file system', async (t, store) => {
    const [id, bytes] = [newId(), randomBytes(300_000)]
    const file = path.join('/dev/shm', `relay-test-${id}`)
    try {
      await writeFile(file, bytes)
    } catch {
      t.plan(0, 'needs /dev/shm')
      return
    }
    t.teardown(() => rm(file, { force: true }))
    if ((await stat(file)).dev === (await stat(t.testdirName)).dev) t.comment('/dev/shm is on the same file system')
    await store.put(id, { path: file, size: bytes.length })
    t.ok((await read(await opened(t, store, id))).equals(bytes))
  })
}

import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readlink, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { buffer } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { FolderObjects } from '../../../lib/objects/folder-objects.ts'
import { objectFile, newKey, opened, read, refuses, objectBehaviour } from './object-behaviour.ts'

const make = async (t: Test, folder = path.join(t.testdirName, 'store')) => {
  const store = new FolderObjects({ folder, scratch: path.join(folder, 'bundles') })
  await store.check('bundles/')
  return store
}

t.test('behaves as a bundle store', async t => { objectBehaviour(t, async t => await make(t)) })

t.test('keeps the file under Tonk’s key, and nothing else', async t => {
  const folder = t.testdir()
  const [store, key] = [await make(t, folder), newKey()]
  const file = await objectFile(t, Buffer.from('bytes'))
  await store.put(key, file)
  t.strictSame(await readdir(folder), ['bundles'], 'the upload was moved')
  t.strictSame(await readdir(path.join(folder, 'bundles')), [path.basename(key)])
})

t.test('the ETag is the same after a restart', async t => {
  const folder = t.testdir()
  const [store, key] = [await make(t, folder), newKey()]
  await store.put(key, await objectFile(t, Buffer.from('bytes')))
  const [before, after] = [await opened(t, store, key), await opened(t, await make(t, folder), key)]
  t.equal(after.etag, before.etag)
  t.strictSame(after.modified, before.modified)
})

t.test('the ETag changes for files of one size with one old date', async t => {
  const [store, key, etags] = [await make(t, t.testdir()), newKey(), new Set<string>()]
  for (let n = 0; n < 5; n++) {
    const file = await objectFile(t, Buffer.from(`same size ${n}`))
    await utimes(file.path, 1000, 1000)
    await store.put(key, file)
    const bundle = await opened(t, store, key)
    etags.add(bundle.etag)
    await bundle.close()
  }
  t.equal(etags.size, 5)
})

/** Paths this process holds open below a folder. */
const held = async (folder: string) => {
  const paths = await Promise.all(
    (await readdir('/proc/self/fd')).map(async fd => await readlink(`/proc/self/fd/${fd}`).catch(() => ''))
  )
  return paths.filter(open => open.startsWith(folder))
}

t.test('holds a descriptor until it is closed and the last stream is done', {
  skip: process.platform !== 'linux' && 'needs /proc'
}, async t => {
  const folder = t.testdir()
  const [store, key, bytes] = [await make(t, folder), newKey(), randomBytes(500_000)]
  await store.put(key, await objectFile(t, bytes))
  const bundle = await opened(t, store, key)
  const [whole, part, unread] = [bundle.stream(), bundle.stream({ start: 1, end: 2 }), bundle.stream()]
  await bundle.close()
  await buffer(part)
  t.equal((await held(folder)).length, 1)
  unread.destroy()
  t.ok((await buffer(whole)).equals(bytes))
  await t.rejects(read(bundle))
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(await held(folder), [])
})

t.test('old bytes stay readable after they were replaced', async t => {
  const [store, key, bytes] = [await make(t, t.testdir()), newKey(), randomBytes(500_000)]
  await store.put(key, await objectFile(t, bytes))
  const bundle = await opened(t, store, key)
  await store.put(key, await objectFile(t, randomBytes(10)))
  t.ok((await read(bundle)).equals(bytes))
})

t.test('a file cut short by someone else is told', async t => {
  const folder = t.testdir()
  const [store, key] = [await make(t, folder), newKey()]
  await store.put(key, await objectFile(t, randomBytes(500_000)))
  const bundle = await opened(t, store, key)
  await truncate(path.join(folder, key), 100)
  await refuses(t, read(bundle), 'RELAY_OBJECT_CHANGED')
})

t.test('check names a folder that cannot be used', async t => {
  const folder = t.testdir({ file: '', 'half-made': { bundles: '' } })
  for (const name of ['file', 'file/below', 'half-made']) {
    const error = await refuses(t, make(t, path.join(folder, name)), 'RELAY_STORE_UNAVAILABLE')
    t.match(error.message, path.join(folder, name, 'bundles'))
  }
  const missing = new FolderObjects({ folder: path.join(folder, 'file') })
  await refuses(t, missing.open(newKey()), 'RELAY_STORE_UNAVAILABLE')
  await refuses(t, missing.put(newKey(), await objectFile(t, Buffer.from('bytes'))), 'RELAY_STORE_UNAVAILABLE')
})

t.test('a folder in a bundle’s place is an error, not a bundle', async t => {
  const folder = t.testdir()
  const [store, key] = [await make(t, folder), newKey()]
  await mkdir(path.join(folder, key, 'inner'), { recursive: true })
  await refuses(t, store.open(key), 'RELAY_STORE_UNAVAILABLE')
  const file = await objectFile(t, Buffer.from('bytes'))
  await refuses(t, store.put(key, file), 'RELAY_STORE_UNAVAILABLE')
  t.strictSame(await readdir(path.join(folder, 'bundles')), [path.basename(key)])
  t.strictSame(await held(folder), [])
})

t.test('check deletes what a killed process left, and nothing else', async t => {
  const folder = t.testdir()
  const [store, bundles] = [await make(t, folder), path.join(folder, 'bundles')]
  const names = {
    stale: '.put-7f8d6a7e-0b0e-4c43-9d5e-0a2f5a0e7c11',
    underWay: '.put-7f8d6a7e-0b0e-4c43-9d5e-0a2f5a0e7c12',
    foreign: '.put-something',
    bundle: path.basename(newKey())
  }
  for (const name of Object.values(names)) await writeFile(path.join(bundles, name), 'bytes')
  for (const name of [names.stale, names.foreign, names.bundle]) await utimes(path.join(bundles, name), 1000, 1000)
  await store.check('bundles/')
  t.strictSame((await readdir(bundles)).sort(), [names.underWay, names.foreign, names.bundle].sort())
})

t.test('a full disk keeps the old bundle and leaves nothing behind', async t => {
  const folder = await mkdtemp(path.join(tmpdir(), 'relay-full-disk-'))
  t.teardown(() => rm(folder, { recursive: true }))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    t.plan(0, 'needs the right to mount a tmpfs')
    return
  }
  t.teardown(() => execFileSync('umount', ['--lazy', folder]))
  t.testdir()
  const [store, key, bytes] = [await make(t, folder), newKey(), randomBytes(1024 * 1024)]
  await store.put(key, await objectFile(t, bytes))
  const tooMuch = await objectFile(t, randomBytes(2 * 1024 * 1024))
  t.match(await refuses(t, store.put(key, tooMuch), 'RELAY_STORE_UNAVAILABLE'), { message: /ENOSPC/, retryAfter: 5 })
  t.strictSame(await readdir(path.join(folder, 'bundles')), [path.basename(key)])
  const bundle = await opened(t, store, key)
  t.ok((await read(bundle)).equals(bytes))
  await bundle.close()
  await t.resolves(store.check('bundles/'), 'there is still room for a probe')
  await writeFile(path.join(folder, 'rest'), randomBytes(2 * 1024 * 1024)).catch(() => t.pass('filled up'))
  t.match(await refuses(t, store.check('bundles/'), 'RELAY_STORE_UNAVAILABLE'), { message: /ENOSPC/ })
  t.strictSame(await readdir(path.join(folder, 'bundles')), [path.basename(key)])
})

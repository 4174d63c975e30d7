import t, { type Test } from 'tap'
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { cpSync, existsSync } from 'node:fs'
import path from 'node:path'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { Repo } from '@automerge/automerge-repo'
import { StorageFolder } from '../../../../lib/storage/local/folder-chunks.ts'
import { newDocumentId, type DocumentId } from '../../../../lib/ids.ts'

const id = '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ' as DocumentId
const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const text = (data: Uint8Array | undefined) => data && Buffer.from(data).toString()

async function open (t: Test, folder = t.testdir()) {
  const storage = new StorageFolder(folder)
  await storage.open()
  return storage
}

t.test('the layout is nodefs, and its own id is kept', async t => {
  const storage = await open(t)
  await storage.write([id, 'incremental', 'abc'], bytes('x'))
  t.equal(await readFile(path.join(storage.folder, '3X/4Q62EiCtGYZ5W1RsLMSZV8WPRZ/incremental/abc'), 'utf8'), 'x')
  t.equal(await readFile(path.join(storage.folder, 'st/orage-adapter-id'), 'utf8'), storage.id)
  t.equal((await open(t, storage.folder)).id, storage.id)
  t.strictSame(await readdir(storage.scratch), [], 'no temporary is left')
})

t.test('write, read, list, remove', async t => {
  const storage = await open(t)
  t.equal(await storage.read([id, 'snapshot', 'none']), undefined)
  t.strictSame(await storage.list([id]), [])
  await storage.write([id, 'snapshot', 'a'], bytes('1'))
  await storage.write([id, 'snapshot', 'a'], bytes('2'))
  await storage.write([id, 'incremental', 'b'], bytes('3'))
  await storage.write([id, 'sync-state', 'c'], bytes('4'))
  t.equal(text(await storage.read([id, 'snapshot', 'a'])), '2')
  t.strictSame((await storage.list([id])).map(key => key.slice(1).join('/')).sort(), ['incremental/b', 'snapshot/a', 'sync-state/c'])
  t.strictSame((await storage.chunks(id)).map(text), ['2', '3'], 'snapshots first, sync states not')
  await storage.remove([id, 'snapshot', 'a'])
  await storage.remove([id, 'snapshot', 'a'])
  t.strictSame((await storage.chunks(id)).map(text), ['3'])
  await storage.remove([id])
  t.strictSame(await storage.list([id]), [])
})

t.test('ids are told in their order, from anywhere on', async t => {
  const storage = await open(t)
  const ids = Array.from({ length: 40 }, () => newDocumentId()).sort()
  for (const id of ids) await storage.write([id, 'snapshot', 'a'], bytes('12345'))
  await writeFile(path.join(storage.folder, 'xx'), 'a file is no document')
  await mkdir(path.join(storage.folder, ids[0]!.slice(0, 2), 'not-an-id'))
  const all = async (from?: { after?: string, prefix?: string }) => {
    const found: string[] = []
    for await (const id of storage.ids(from)) found.push(id)
    return found
  }
  t.strictSame(await all(), ids)
  t.strictSame(await all({ after: ids[17]! }), ids.slice(18))
  t.strictSame(await all({ after: ids[39]! }), [])
  for (const length of [1, 2, 5, 28]) {
    const prefix = ids[20]!.slice(0, length)
    t.strictSame(await all({ prefix }), ids.filter(id => id.startsWith(prefix)), prefix)
  }
})

t.test('what a document takes on disk', async t => {
  const storage = await open(t)
  t.strictSame(await storage.footprint(id), { files: 0, bytes: 0 })
  await storage.write([id, 'snapshot', 'a'], bytes('12345'))
  await storage.write([id, 'incremental', 'b'], bytes('678'))
  await storage.write([id, 'sync-state', 'c'], bytes('not of the document'))
  t.strictSame(await storage.footprint(id), { files: 2, bytes: 8 })
})

t.test('no part of a key leads out of the folder', async t => {
  const storage = await open(t)
  for (const key of [
    [], ['..'], ['../../evil'], [id, '..'], [id, 'sync-state', '../../../../evil'], [id, 'sync-state', '..'],
    [id, 'sync-state', '.hidden'], [id, 'sync-state', 'a\0b'], [id, 'sync-state', ''], [id, 'snapshot', 'a', 'b'],
    [id, 'snapshot', 'x'.repeat(200)], [`${id}x`, 'snapshot', 'a'], ['storage-adapter-id', 'snapshot', 'a'], ['storage-adapter-id', '../x']
  ]) {
    await t.rejects(storage.write(key, bytes('x')), { code: 'RELAY_ID_INVALID' }, JSON.stringify(key))
    await t.rejects(storage.read(key), { code: 'RELAY_ID_INVALID' })
    await t.rejects(storage.remove(key), { code: 'RELAY_ID_INVALID' })
  }
  t.notOk(existsSync(path.join(storage.folder, '..', 'evil')))
})

t.test('a file that is not in the layout is not a chunk', async t => {
  const storage = await open(t)
  await storage.write([id, 'snapshot', 'a'], bytes('1'))
  await writeFile(path.join(storage.folder, '3X', id.slice(2), 'snapshot', '.DS_Store'), 'x')
  t.strictSame((await storage.chunks(id)).map(text), ['1'])
})

t.test('what a killed process left is cleared; what is fresh, or not a temporary, stays', async t => {
  const storage = await open(t)
  const [old, upload, fresh, foreign] = [randomUUID(), `${randomUUID()}.tonk`, randomUUID(), 'somebody’s own']
  for (const name of [old, upload, fresh, foreign]) await writeFile(path.join(storage.scratch, name), '')
  for (const name of [old, upload, foreign]) await utimes(path.join(storage.scratch, name), 0, 0)
  await open(t, storage.folder)
  t.strictSame((await readdir(storage.scratch)).sort(), [fresh, foreign].sort())
})

t.test('a folder that cannot be used is told by its path', async t => {
  const file = path.join(t.testdir({ file: 'x' }), 'file')
  await t.rejects(open(t, file), { code: 'RELAY_STORAGE_FAILED', message: new RegExp(file) })
  await t.rejects(open(t, '/dev/null/no'), { code: 'RELAY_STORAGE_FAILED', message: /dev\/null\/no/ })
})

t.test('a failed write leaves the old contents and no temporary', async t => {
  const storage = await open(t)
  await mkdir(path.join(storage.folder, '3X'))
  await writeFile(path.join(storage.folder, '3X', id.slice(2)), 'a file where a folder should be')
  await t.rejects(storage.write([id, 'snapshot', 'a'], bytes('x')), { code: 'RELAY_STORAGE_FAILED' })
  t.strictSame(await readdir(storage.scratch), [])
})

t.test('the stock adapter reads what we wrote and we read what it wrote', async t => {
  const folder = t.testdir()
  const stock = new Repo({ storage: new NodeFSStorageAdapter(folder) })
  const handle = stock.create<{ n: number }>({ n: 1 })
  await stock.flush()
  const ours = await open(t, folder)
  const chunks = await ours.chunks(handle.documentId as string as DocumentId)
  t.ok(chunks.length > 0)
  await ours.write([id, 'snapshot', 'copy'], chunks[0]!)
  const again = new Repo({ storage: new NodeFSStorageAdapter(folder) })
  t.strictSame((await again.find<{ n: number }>(id as never)).doc(), { n: 1 })
  t.equal(await again.storageId(), ours.id)
})

const samod = '../shared/fixtures/samod-storage'
t.test('a folder of the Rust relay', { skip: existsSync(samod) ? false : 'no ../shared/fixtures here' }, async t => {
  const folder = t.testdir()
  cpSync(samod, folder, { recursive: true })
  const storage = await open(t, folder)
  t.equal(storage.id, (await readFile(path.join(samod, 'st/orage-adapter-id'), 'utf8')).trim())
  t.equal((await storage.chunks('S3Fx1ZVKBS8V9GKqdnG1wdCnUbs' as DocumentId)).length, 4)
})

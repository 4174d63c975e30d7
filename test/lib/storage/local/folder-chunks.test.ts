import t, { type Test } from 'tap'
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { cpSync, existsSync } from 'node:fs'
import path from 'node:path'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { Repo } from '@automerge/automerge-repo'
import { DocumentChunks } from '../../../../lib/storage/document-chunks.ts'
import { FolderChunks } from '../../../../lib/storage/local/folder-chunks.ts'
import type { DocumentId } from '../../../../lib/ids.ts'

const id = '3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ' as DocumentId
const bytes = (text: string) => new Uint8Array(Buffer.from(text))
const text = (data: Uint8Array) => Buffer.from(data).toString()

async function open (t: Test, folder = t.testdir()) {
  const storage = new FolderChunks(folder)
  const documents = new DocumentChunks(storage)
  await documents.open()
  const chunks = async (id: DocumentId) => (await documents.load(id)).map(({ data }) => data)
  return { storage, id: documents.id, chunks }
}

t.test('the layout is nodefs, and its own id is kept', async t => {
  const { storage, id: own } = await open(t)
  await storage.save([id, 'incremental', 'abc'], bytes('x'))
  t.equal(await readFile(path.join(storage.folder, '3X/4Q62EiCtGYZ5W1RsLMSZV8WPRZ/incremental/abc'), 'utf8'), 'x')
  t.equal(await readFile(path.join(storage.folder, 'st/orage-adapter-id'), 'utf8'), own)
  t.equal((await open(t, storage.folder)).id, own)
  t.strictSame(await readdir(storage.scratch), [], 'no temporary is left')
})

t.test('no part of a key leads out of the folder', async t => {
  const { storage } = await open(t)
  for (const key of [
    [], ['..'], ['../../evil'], [id, '..'], [id, 'sync-state', '../../../../evil'], [id, 'sync-state', '..'],
    [id, 'sync-state', '.hidden'], [id, 'sync-state', 'a\0b'], [id, 'sync-state', ''], [id, 'snapshot', 'a', 'b'],
    [id, 'snapshot', 'x'.repeat(200)], [`${id}x`, 'snapshot', 'a'], ['storage-adapter-id', 'snapshot', 'a'],
    ['storage-adapter-id', '../x']
  ]) {
    await t.rejects(storage.save(key, bytes('x')), { code: 'RELAY_ID_INVALID' }, JSON.stringify(key))
    await t.rejects(storage.load(key), { code: 'RELAY_ID_INVALID' })
    await t.rejects(storage.remove(key), { code: 'RELAY_ID_INVALID' })
  }
  t.notOk(existsSync(path.join(storage.folder, '..', 'evil')))
})

t.test('a file that is not in the layout is not a chunk', async t => {
  const { storage, chunks } = await open(t)
  await storage.save([id, 'snapshot', 'a'], bytes('1'))
  await writeFile(path.join(storage.folder, '3X', id.slice(2), 'snapshot', '.DS_Store'), 'x')
  t.strictSame((await chunks(id)).map(text), ['1'])
})

t.test('what a killed process left is cleared; what is fresh, or not a temporary, stays', async t => {
  const { storage } = await open(t)
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
  const { storage } = await open(t)
  await mkdir(path.join(storage.folder, '3X'))
  await writeFile(path.join(storage.folder, '3X', id.slice(2)), 'a file where a folder should be')
  await t.rejects(storage.save([id, 'snapshot', 'a'], bytes('x')), { code: 'RELAY_STORAGE_FAILED' })
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
  await ours.storage.save([id, 'snapshot', 'copy'], chunks[0]!)
  const again = new Repo({ storage: new NodeFSStorageAdapter(folder) })
  t.strictSame((await again.find<{ n: number }>(id as never)).doc(), { n: 1 })
  t.equal(await again.storageId(), ours.id)
})

const samod = '../shared/fixtures/samod-storage'
t.test('a folder of the Rust relay', { skip: existsSync(samod) ? false : 'no ../shared/fixtures here' }, async t => {
  const folder = t.testdir()
  cpSync(samod, folder, { recursive: true })
  const { id, chunks } = await open(t, folder)
  t.equal(id, (await readFile(path.join(samod, 'st/orage-adapter-id'), 'utf8')).trim())
  t.equal((await chunks('S3Fx1ZVKBS8V9GKqdnG1wdCnUbs' as DocumentId)).length, 4)
})

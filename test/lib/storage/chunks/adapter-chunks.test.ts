import t from 'tap'
import { Repo } from '@automerge/automerge-repo'
import { newDocumentId, type DocumentId } from '../../../../lib/ids.ts'
import { AdapterChunks } from '../../../../lib/storage/chunks/adapter-chunks.ts'
import { MemoryAdapter } from './memory-adapter.ts'

async function idsOf (chunks: AdapterChunks): Promise<DocumentId[]> {
  const ids: DocumentId[] = []
  for await (const id of chunks.ids()) ids.push(id)
  return ids
}

t.test('what a repo has stored is there, and is listed from its first change on', async t => {
  const adapter = new MemoryAdapter()
  const repo = new Repo({ storage: adapter })
  const { documentId } = repo.create({ n: 1 })
  await repo.flush()
  const id = documentId as string as DocumentId
  const chunks = new AdapterChunks(adapter)
  const found = await chunks.loadRange([id])
  t.ok(found.length > 0)
  t.same((await chunks.sizes([id])).map(({ size }) => size), found.map(({ data }) => data.length))
  t.strictSame(await idsOf(chunks), [])
  await chunks.save([id, 'incremental', 'a'], Buffer.from('a'))
  await chunks.save([newDocumentId(), 'incremental', 'a'], Buffer.from('a'))
  t.equal((await idsOf(chunks)).length, 2)
  t.equal((await idsOf(new AdapterChunks(adapter))).length, 2)
  t.same(await new Repo({ storage: adapter }).storageId(), await repo.storageId())
})

t.test('it is asked for sizes once, and for its list of documents once a document', async t => {
  const [id, adapter] = [newDocumentId(), new MemoryAdapter()]
  const chunks = new AdapterChunks(adapter)
  for (const name of ['a', 'b', 'c']) await chunks.save([id, 'incremental', name], Buffer.from(name))
  t.strictSame(adapter.calls.splice(0), ['load', 'save', 'save', 'save', 'save'])
  t.equal((await chunks.sizes([id])).length, 3)
  await chunks.save([id, 'snapshot', 'd'], Buffer.from('four'))
  await chunks.remove([id, 'incremental', 'a'])
  t.same((await chunks.sizes([id])).map(({ key, size }) => [key[2], size]), [['b', 1], ['c', 1], ['d', 4]])
  t.strictSame(adapter.calls, ['loadRange', 'save'])
})

t.test('what changes while sizes are asked for is not missed', async t => {
  const [id, adapter] = [newDocumentId(), new MemoryAdapter()]
  const chunks = new AdapterChunks(adapter)
  await chunks.save([id, 'incremental', 'a'], Buffer.from('a'))
  adapter.listed = async () => {
    adapter.listed = async () => {}
    await chunks.save([id, 'incremental', 'b'], Buffer.from('b'))
  }
  await chunks.sizes([id])
  t.strictSame((await chunks.sizes([id])).map(({ key }) => key[2]), ['a', 'b'])
})

t.test('an adapter that is a chunk store is asked for what only that can do', async t => {
  const [id, adapter] = [newDocumentId(), new MemoryAdapter()]
  const asked: string[] = []
  const chunks = new AdapterChunks(Object.assign(adapter, {
    async open () { asked.push('open') },
    async probe () { asked.push('probe') },
    async sizes (prefix: readonly string[]) {
      asked.push(`sizes of ${String(prefix)}`)
      return [{ key: [id, 'snapshot', 'a'], size: 7 }]
    },
    async * ids ({ after = '', prefix = '' } = {}) {
      asked.push(`ids after ${after} with ${prefix}`)
      yield id
    }
  }))
  await chunks.open()
  await chunks.probe()
  t.same(await chunks.sizes([id]), [{ key: [id, 'snapshot', 'a'], size: 7 }])
  t.strictSame(await idsOf(chunks), [id])
  t.strictSame(asked, ['open', 'probe', `sizes of ${id}`, 'ids after  with '])
  await chunks.save([id, 'snapshot', 'a'], Buffer.from('a'))
  t.strictSame([...adapter.stored.keys()], [`${id},snapshot,a`], 'it needs no list of ours')
})

t.test('an adapter that has one of these methods for reasons of its own is no chunk store', async t => {
  const [id, adapter] = [newDocumentId(), new MemoryAdapter()]
  const never = (): never => { throw new Error('not for the relay') }
  const chunks = new AdapterChunks(Object.assign(adapter, { open: never, ids: never, sizes: never }))
  await chunks.open()
  await chunks.save([id, 'snapshot', 'a'], Buffer.from('a'))
  t.equal((await chunks.sizes([id])).length, 1)
  t.strictSame(await idsOf(chunks), [id])
})

t.test('it may keep the bytes it is given, and is not trusted with those it gives', async t => {
  const [id, adapter] = [newDocumentId(), new MemoryAdapter()]
  const chunks = new AdapterChunks(adapter)
  const bytes = Buffer.from('original')
  await chunks.save([id, 'snapshot', 'a'], bytes)
  bytes.fill(0)
  t.equal(Buffer.from((await chunks.load([id, 'snapshot', 'a']))!).toString(), 'original')
  t.equal(adapter.stored.get(`${id},snapshot,a`)!.data.buffer.byteLength, 8, 'and no more than these')
  for (const data of ['text', { 0: 1 }, 7]) {
    adapter.stored.set(`${id},snapshot,b`, { key: [id, 'snapshot', 'b'], data: data as never })
    await t.rejects(chunks.load([id, 'snapshot', 'b']), { code: 'RELAY_STORAGE_FAILED' })
    await t.rejects(chunks.loadRange([id]), { code: 'RELAY_STORAGE_FAILED' })
  }
  adapter.stored.set('foreign', { key: [id, 'snapshot', 'b'], data: undefined as never })
  adapter.loadRange = async () => [
    { key: [id, 'snapshot', 'a'], data: bytes }, { key: [newDocumentId(), 'snapshot', 'a'], data: bytes },
    { key: [id, 'x', '../y'], data: bytes }, { key: [id, 'snapshot', 'gone'], data: undefined }
  ]
  t.strictSame((await chunks.loadRange([id])).map(({ key }) => key), [[id, 'snapshot', 'a']])
})

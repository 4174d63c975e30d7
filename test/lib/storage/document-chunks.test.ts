import t from 'tap'
import { newDocumentId, type DocumentId } from '../../../lib/ids.ts'
import { AdapterChunks } from '../../../lib/storage/chunks/adapter-chunks.ts'
import { DocumentChunks } from '../../../lib/storage/document-chunks.ts'
import { until } from '../../helper.ts'
import { MemoryAdapter } from './chunks/memory-adapter.ts'

const textsOf = async (documents: DocumentChunks, id: DocumentId): Promise<string[]> =>
  (await documents.load(id)).map(({ data }) => Buffer.from(data).toString())

t.test('a chunk is removed when the reads that may have listed it are over; those that come then do not hold ' +
  'it up', async t => {
  const id = newDocumentId()
  const old = [id, 'incremental', 'old']
  const adapter = new MemoryAdapter()
  const documents = new DocumentChunks(new AdapterChunks(adapter))
  await documents.save(old, Buffer.from('old'))
  let release: (() => void) | undefined
  const held = new Promise<void>(resolve => {
    adapter.listed = () => {
      release = resolve
      return held
    }
  })
  const reading = textsOf(documents, id)
  await until(() => release !== undefined)
  adapter.listed = async () => {}
  await documents.save([id, 'snapshot', 'new'], Buffer.from('new'))
  const removing = documents.remove(old)
  t.strictSame(await textsOf(documents, id), ['new', 'old'])
  t.ok(adapter.has(old))
  release!()
  t.strictSame(await reading, ['old'])
  await removing
  t.notOk(adapter.has(old))
  t.strictSame(await textsOf(documents, id), ['new'])
})

t.test('what a store says in its own words is an error of storage', async t => {
  const id = newDocumentId()
  const adapter = new MemoryAdapter()
  const documents = new DocumentChunks(new AdapterChunks(adapter))
  await documents.open()
  const broken = async (): Promise<never> => {
    throw Object.assign(new Error('the table is locked'), { code: 'LOCKED' })
  }
  Object.assign(adapter, { load: broken, save: broken, remove: broken, loadRange: broken, removeRange: broken })
  const ids = async (): Promise<void> => { for await (const id of documents.ids({})) t.fail(id) }
  const calls = [
    documents.save([id, 'snapshot', 'a'], Buffer.from('a')), documents.remove([id, 'snapshot', 'a']),
    documents.bury(id), documents.load(id),
    documents.footprint(id), documents.probe(), ids(), new DocumentChunks(new AdapterChunks(adapter)).open()
  ]
  for (const call of calls) {
    await t.rejects(call as Promise<unknown> as Promise<void>, {
      code: 'RELAY_STORAGE_FAILED', message: 'the storage adapter: the table is locked', cause: { code: 'LOCKED' }
    })
  }
})

import t, { type Test } from 'tap'
import { RelayError } from '../../../lib/errors.ts'
import { newDocumentId, type DocumentId } from '../../../lib/ids.ts'
import type { ChunkStore } from '../../../lib/storage/chunk-store.ts'
import { DocumentChunks } from '../../../lib/storage/document-chunks.ts'
import { chunkStores } from './chunks/chunk-stores.ts'
import { noise } from './stored.ts'

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text))
const text = (data: Uint8Array | undefined): string | undefined => data && Buffer.from(data).toString()

/** Below a prefix: the rest of each key, with what is there. */
async function below (store: ChunkStore, prefix: string[]): Promise<Record<string, string>> {
  const chunks = await store.loadRange(prefix)
  return Object.fromEntries(chunks.map(({ key, data }) => [key.slice(1).join('/'), text(data)!] as const).sort())
}

async function idsOf (store: ChunkStore, query?: { after?: string, prefix?: string }): Promise<DocumentId[]> {
  const ids: DocumentId[] = []
  for await (const id of store.ids(query)) ids.push(id)
  return ids
}

/** What every chunk store does. */
const behaviour: Record<string, (t: Test, again: () => ChunkStore, store: ChunkStore) => Promise<void>> = {
  async 'what is stored is loaded, here and by the next process' (t, again, store) {
    const [id, other] = [newDocumentId(), newDocumentId()]
    t.equal(await store.load([id, 'snapshot', 'none']), undefined)
    t.strictSame(await store.loadRange([id]), [])
    await store.save([id, 'snapshot', 'a'], bytes('1'))
    await store.save([id, 'snapshot', 'a'], bytes('2'))
    await store.save([id, 'incremental', 'b'], bytes('3'))
    await store.save([id, 'sync-state', 'c'], bytes('4'))
    await store.save([other, 'snapshot', 'a'], bytes('other'))
    for (const store_ of [store, again()]) {
      t.equal(text(await store_.load([id, 'snapshot', 'a'])), '2')
      t.strictSame(await below(store_, [id]), { 'incremental/b': '3', 'snapshot/a': '2', 'sync-state/c': '4' })
      t.strictSame(await below(store_, [id, 'incremental']), { 'incremental/b': '3' })
      const wanted = await store_.loadRange([id], ([, kind]) => kind === 'snapshot')
      t.strictSame(wanted.map(({ key }) => key), [[id, 'snapshot', 'a']])
    }
    await store.remove([id, 'snapshot', 'a'])
    await store.remove([id, 'snapshot', 'a'])
    t.equal(await store.load([id, 'snapshot', 'a']), undefined)
    await store.removeRange([id, 'sync-state'])
    await store.removeRange([id, 'deleted'])
    t.strictSame(await below(again(), [id]), { 'incremental/b': '3' })
    await store.removeRange([id])
    for (const store_ of [store, again()]) {
      t.strictSame(await below(store_, [id]), {})
      t.strictSame(await below(store_, [other]), { 'snapshot/a': 'other' })
    }
  },

  async 'bytes are what they were, however many' (t, again, store) {
    const id = newDocumentId()
    const all = [new Uint8Array(1), noise(100), noise(300_000), Buffer.from('xx-a view of others-xx').subarray(2, -2)]
    for (const [n, data] of all.entries()) await store.save([id, 'snapshot', `s${n}`], data)
    const next = again()
    for (const [n, data] of all.entries()) {
      t.ok(Buffer.from((await next.load([id, 'snapshot', `s${n}`]))!).equals(data), `${data.length}`)
    }
    t.equal((await next.loadRange([id])).length, all.length)
  },

  async 'sizes are told' (t, again, store) {
    const id = newDocumentId()
    const sizes = async (store: ChunkStore, prefix: string[] = [id]) =>
      Object.fromEntries((await store.sizes(prefix)).map(({ key, size }) => [key.slice(1).join('/'), size]))
    t.strictSame(await sizes(store), {})
    await store.save([id, 'snapshot', 'a'], bytes('12345'))
    await store.save([id, 'incremental', 'b'], bytes('678'))
    for (const store_ of [store, again()]) t.same(await sizes(store_), { 'snapshot/a': 5, 'incremental/b': 3 })
    await store.save([id, 'snapshot', 'a'], bytes('123456'))
    await store.save([id, 'incremental', 'c'], bytes('9'))
    await store.remove([id, 'incremental', 'b'])
    t.same(await sizes(store), { 'snapshot/a': 6, 'incremental/c': 1 })
    t.same(await sizes(store, [id, 'snapshot']), { 'snapshot/a': 6 })
    await store.removeRange([id, 'snapshot'])
    t.same(await sizes(store), { 'incremental/c': 1 })
  },

  async 'ids are told in their order, from anywhere on' (t, again, store) {
    const ids = Array.from({ length: 25 }, () => newDocumentId()).sort()
    for (const [n, id] of ids.entries()) {
      await store.save([id, n % 2 === 0 ? 'snapshot' : 'incremental', 'a'], bytes('x'))
      if (n % 5 === 0) await store.save([id, 'snapshot', 'b'], bytes('y'))
    }
    for (const store_ of [store, again()]) {
      t.strictSame(await idsOf(store_), ids)
      for (const n of [0, 10, 17, 24]) {
        t.strictSame(await idsOf(store_, { after: ids[n]! }), ids.slice(n + 1), `after ${n}`)
      }
    }
    for (const length of [1, 2, 5, 27]) {
      const prefix = ids[20]!.slice(0, length)
      t.strictSame(await idsOf(store, { prefix }), ids.filter(id => id.startsWith(prefix)), prefix)
      t.strictSame(
        await idsOf(store, { prefix, after: ids[20]! }),
        ids.filter(id => id.startsWith(prefix) && id > ids[20]!),
        `${prefix} on`
      )
    }
  },

  async 'only keys of the layout are taken' (t, _, store) {
    const id = newDocumentId()
    for (const key of [
      [], ['..'], ['../../evil'], [id, '..'], [id, 'sync-state', '../../../../evil'], [id, 'sync-state', '.hidden'],
      [id, 'sync-state', 'a\0b'], [id, 'snapshot', ''], [id, 'snapshot', 'a', 'b'], [id, 'snapshot', 'x'.repeat(200)],
      [`${id}x`, 'snapshot', 'a'], ['storage-adapter-id', 'x']
    ]) {
      for (const call of [
        store.save(key, bytes('x')), store.load(key), store.remove(key), store.loadRange(key), store.removeRange(key),
        store.sizes(key)
      ]) {
        await t.rejects(call as Promise<unknown> as Promise<void>, { code: 'RELAY_ID_INVALID' }, JSON.stringify(key))
      }
    }
  },

  async 'a document whose chunks are made one again and again is seen whole' (t, _, store) {
    const [id, documents] = [newDocumentId(), new DocumentChunks(store)]
    const all = Array.from({ length: 4 }, (_, n) => `part ${n};`)
    for (const [n, part] of all.entries()) await documents.save([id, 'incremental', `n${n}`], bytes(part))
    const wrong: string[] = []
    const over = new AbortController()
    const readers = Array.from({ length: 3 }, async () => {
      while (!over.signal.aborted) {
        const seen = (await documents.load(id)).map(({ data }) => text(data)).join('')
        for (const part of all) if (!seen.includes(part)) wrong.push(`${part} is not in ${seen}`)
      }
    })
    for (let n = 0; n < 12; n++) {
      const old = await documents.load(id)
      const [kind, one] = n % 3 === 0 ? ['snapshot', `one${n}`] : ['incremental', `a${12 - n}`]
      await documents.save([id, kind, one], Buffer.concat(old.map(({ data }) => data)).subarray(0, all.join('').length))
      for (const { key } of old) await documents.remove(key)
    }
    over.abort()
    await Promise.all(readers)
    t.strictSame(wrong, [])
    t.equal((await documents.sizes(id)).length, 1)
  },

  async 'its id is made once; a document is deleted for good' (t, again, store) {
    const [id, documents, next] = [newDocumentId(), new DocumentChunks(store), new DocumentChunks(again())]
    await documents.open()
    t.match(documents.id, /^[\da-f-]{36}$/)
    await documents.probe()
    for (const [kind, name] of [['incremental', 'b'], ['snapshot', 'a'], ['sync-state', 'c']] as const) {
      await documents.save([id, kind, name], bytes(kind))
    }
    t.strictSame((await documents.load(id)).map(({ data }) => text(data)), ['snapshot', 'incremental'])
    t.strictSame(await documents.footprint(id), { files: 2, bytes: 19 })
    await next.open()
    t.equal(next.id, documents.id)
    await documents.bury(id)
    await documents.bury(id)
    for (const documents_ of [documents, next]) {
      await t.rejects(documents_.load(id), { code: 'RELAY_DOCUMENT_DELETED' })
      await t.rejects(documents_.footprint(id), { code: 'RELAY_DOCUMENT_DELETED' })
    }
    t.strictSame(Object.keys(await below(again(), [id])), ['deleted/tombstone'])
    t.strictSame(await idsOf(again()), [id], 'it is told of all the same')
  },

  async 'nothing is written once the store is another’s' (t, again, store) {
    const id = newDocumentId()
    const state = { isLost: false }
    const documents = new DocumentChunks(store, {
      token: 1,
      async check () { if (state.isLost) throw new RelayError('RELAY_STORAGE_LOST', 'taken') }
    })
    await documents.open()
    await documents.save([id, 'snapshot', 'a'], bytes('1'))
    state.isLost = true
    const calls = [
      documents.save([id, 'snapshot', 'b'], bytes('2')), documents.remove([id, 'snapshot', 'a']), documents.bury(id),
      documents.probe()
    ]
    for (const call of calls) await t.rejects(call, { code: 'RELAY_STORAGE_LOST' })
    t.strictSame(await below(again(), [id]), { 'snapshot/a': '1' })
  }
}

for (const { name, skip, make } of chunkStores) {
  t.test(`chunks in ${name}`, { skip }, async t => {
    for (const [title, run] of Object.entries(behaviour)) {
      await t.test(title, async t => {
        const again = await make(t)
        const store = again()
        await store.open()
        await run(t, again, store)
      })
    }
  })
}

import t from 'tap'
import { cp, readFile, readdir } from 'node:fs/promises'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import type { DocumentId } from '../../lib/ids.ts'
import { FIXTURES, bundleFixtures, client, noFixtures, start, until, urlOf, type Running } from '../helper.ts'
import { storages } from '../lib/storage/chunks/chunk-stores.ts'
import { MemoryAdapter } from '../lib/storage/chunks/memory-adapter.ts'
import { scratch } from '../scratch.ts'
import { unzip } from '../unzip.ts'

/** The documents of a bundle, by id, as anyone reads them out of the ZIP. */
async function documentsOf (bundle: Uint8Array): Promise<Map<string, Automerge.Doc<unknown>>> {
  const documents = new Map<string, Automerge.Doc<unknown>>()
  for (const [name, bytes] of await unzip(bundle)) {
    const [, first, rest] = /^storage\/(..)\/([^/]+)\/snapshot\/bundle_export$/.exec(name) ?? []
    if (first !== undefined) documents.set(`${first}${rest}`, Automerge.load(bytes))
  }
  return documents
}

const manifestOf = async (bundle: Uint8Array) => (await unzip(bundle)).get('manifest.json')!
const fetchBytes = async (url: string) => {
  const response = await fetch(url)
  if (response.status !== 200) throw new Error(`${url}: ${response.status} ${await response.text()}`)
  return new Uint8Array(await response.arrayBuffer())
}

const fixtures = noFixtures === false ? await bundleFixtures() : []
const flows = storages.flatMap(({ name, skip, place }, n) => (n === 0 ? fixtures : fixtures.slice(0, 1)).map(file => ({
  file, name, skip, place
})))

for (const { file, name, skip, place } of flows) {
  t.test(`${path.basename(file)} in ${name}: uploaded, slimmed, read file by file by a fresh client, before and ` +
    'after a restart', { skip }, async t => {
    const storage = await place(t)
    const bundle = await readFile(file)
    const documents = await documentsOf(bundle)
    const { rootId } = JSON.parse((await manifestOf(bundle)).toString())
    const first = await start(t, { storage: storage() })
    const uploaded = await fetch(`${first.http}/api/bundles`, {
      method: 'POST', body: bundle, headers: { 'content-type': 'application/octet-stream' }
    })
    t.equal(uploaded.status, 200)
    t.strictSame(await uploaded.json(), { id: rootId, message: 'Bundle uploaded successfully' })
    await first.close()

    const again = await start(t, { storage: storage() })
    for (const relay of [again, await start(t, { bundle: file })]) {
      const slimUrls = relay === again
        ? [`${relay.http}/api/bundles/${rootId}/manifest`]
        : [`${relay.http}/.manifest.tonk`]
      for (const url of slimUrls) {
        const slim = await fetchBytes(url)
        t.strictSame([...(await documentsOf(slim)).keys()], [rootId], 'exactly the root document')
        t.strictSame(await manifestOf(slim), await manifestOf(bundle), 'the manifest byte by byte')
      }
      const repo = client(t, relay.ws)
      for (const [id, document] of documents) {
        const handle = await repo.find(urlOf(id))
        t.strictSame(Automerge.getHeads(handle.doc()), Automerge.getHeads(document), id)
      }
      if (relay === again) {
        t.strictSame(
          Buffer.from(await fetchBytes(`${relay.http}/api/bundles/${rootId}`)), bundle, 'the bundle byte by byte'
        )
      }
      await relay.close()
    }
  })
}
if (noFixtures !== false) t.comment(noFixtures)

t.test('the storage folder of a Rust relay is taken over as it is', { skip: noFixtures }, async t => {
  const storage = await scratch(t)
  await cp(`${FIXTURES}/samod-storage`, storage, { recursive: true })
  const relay = await start(t, { storage })
  const repo = client(t, relay.ws)
  for (const id of ['S3Fx1ZVKBS8V9GKqdnG1wdCnUbs', '2ksc7hdLboHLS7gk3QMh1GBtSx1A', 'KA6LqANnSB1KRJcnVKmxU4HQXUM']) {
    const stored = await Promise.all((await readdir(
      `${FIXTURES}/samod-storage/${id.slice(0, 2)}/${id.slice(2)}/incremental`
    ))
      .map(async name => await readFile(
        `${FIXTURES}/samod-storage/${id.slice(0, 2)}/${id.slice(2)}/incremental/${name}`
      )))
    const handle = await repo.find(urlOf(id))
    t.strictSame(
      Automerge.getHeads(handle.doc()),
      Automerge.getHeads(Automerge.loadIncremental(Automerge.init(), Buffer.concat(stored))),
      id
    )
  }
})

for (const { name, skip, place } of storages) {
  t.test(`a bundle shared live holds what peers did since, new documents included: in ${name}`, { skip }, async t => {
    const storage = await place(t)
    const relay = await start(t, { storage: storage() })
    const blank = await fetchBytes(`${relay.http}/api/blank-tonk`)
    t.strictSame(await fetchBytes(`${relay.http}/api/blank-tonk`), blank, 'all clients get the same template')
    const { rootId } = JSON.parse((await manifestOf(blank)).toString())
    const figures = await (await fetch(`${relay.http}/metrics`, { headers: { accept: 'text/plain' } })).text()
    for (const operation of [
      'part="storage",operation="append"', 'part="storage",operation="read"', 'part="bundle",operation="blank"'
    ]) {
      t.match(
        figures, new RegExp(`relay_operation_duration_seconds_count\\{${operation},result="ok"\\} [1-9]`), operation
      )
    }
    const form = new FormData()
    form.set('bundle', new Blob([blank]), 'app.tonk')
    t.equal((await fetch(`${relay.http}/api/bundles`, { method: 'POST', body: form })).status, 200, 'as a form')

    const slimUrl = `${relay.http}/api/bundles/${rootId}/manifest`
    const before = await fetch(slimUrl)
    const etag = before.headers.get('etag')!
    t.equal((await fetch(slimUrl, { headers: { 'if-none-match': etag } })).status, 304)

    const repo = client(t, relay.ws)
    const root = await repo.find<{ path_index: Automerge.ImmutableString }>(urlOf(rootId))
    const file = repo.create({ content: 'made after the upload' })
    root.change(d => {
      const index = JSON.parse(String(d.path_index))
      index.paths['/new.txt'] = { doc_id: file.documentId, type: 'document', created: 1, modified: 1 }
      d.path_index = new Automerge.ImmutableString(JSON.stringify(index))
    })
    const heads = Automerge.getHeads(root.doc())
    await until(async () => Automerge.hasHeads((await documentsOf(await fetchBytes(slimUrl))).get(rootId)!, heads))
    t.equal((await fetch(slimUrl, { headers: { 'if-none-match': etag } })).status, 200, 'the slim bundle is of today')

    const liveUrl = `${relay.http}/api/bundles/${rootId}?state=live`
    await until(async () => (await documentsOf(await fetchBytes(liveUrl))).has(file.documentId))
    const live = await documentsOf(await fetchBytes(liveUrl))
    t.strictSame(Automerge.toJS(live.get(file.documentId)!), { content: 'made after the upload' })
    t.strictSame(await fetchBytes(`${relay.http}/api/bundles/${rootId}`), blank, 'what was uploaded stays what it was')

    await relay.close()
    const again = await start(t, { storage: storage() })
    t.ok(
      (await documentsOf(await fetchBytes(liveUrl.replace(relay.http, again.http)))).has(file.documentId),
      'after a restart too'
    )
    t.equal((await client(t, again.ws).find<{ content: string }>(file.url)).doc().content, 'made after the upload')
  })
}

for (const { name, skip, place } of storages) {
  t.test(`documents over HTTP in ${name}: made, changed, listed, deleted, and so after a restart`, {
    skip
  }, async t => {
    const storage = await place(t)
    const options = { dashboard: true, authorize: () => true }
    const first = await start(t, { ...options, storage: storage() })
    const call = async (relay: Running, path: string, method: string, body?: unknown) => {
      const type = method === 'PATCH' ? 'application/json-patch+json' : 'application/json'
      return await fetch(`${relay.http}${path}`, {
        method, ...body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': type } }
      })
    }
    const made = await Promise.all([1, 2, 3].map(async n => {
      const response = await call(first, '/api/documents', 'POST', { n })
      t.equal(response.status, 201)
      return (await response.json() as { id: DocumentId }).id
    }))
    const [kept, gone, large] = made as [DocumentId, DocumentId, DocumentId]
    t.equal(
      (await call(first, `/api/documents/${kept}`, 'PATCH', [{ op: 'replace', path: '/n', value: 10 }])).status, 200
    )
    const long = { op: 'add', path: '/text', value: 'x'.repeat(200_000) }
    t.equal((await call(first, `/api/documents/${large}`, 'PATCH', [long])).status, 200)
    t.equal((await call(first, `/api/documents/${gone}`, 'DELETE')).status, 204)
    const listed = async (relay: Running): Promise<Array<[string, boolean]>> => {
      const response = await fetch(`${relay.http}/dashboard/data/documents?limit=10`)
      const { list } = await response.json() as { list: Array<{ id: string, isDeleted: boolean }> }
      // the blank bundle's root is there as well
      return list.filter(({ id }) => (made as string[]).includes(id)).map(({ id, isDeleted }) => [id, isDeleted])
    }
    const expected = made.toSorted().map(id => [id, id === gone])
    t.strictSame(await listed(first), expected)
    await first.close()
    const second = await start(t, { ...options, storage: storage() })
    t.match(await (await call(second, `/api/documents/${kept}`, 'GET')).json(), { n: 10 })
    t.equal(
      (await (await call(second, `/api/documents/${large}`, 'GET')).json() as { text: string }).text.length, 200_000
    )
    t.equal((await call(second, `/api/documents/${gone}`, 'GET')).status, 410)
    t.strictSame(await listed(second), expected)
    t.equal((await fetch(`${second.http}/health/ready`)).status, 200)
  })
}

t.test('a bundle is merged into every storage that its relay is given', async t => {
  const [folder, adapter] = [await scratch(t), new MemoryAdapter()]
  const first = await start(t, { storage: folder })
  const { rootId } = JSON.parse((await manifestOf(await fetchBytes(`${first.http}/api/blank-tonk`))).toString())
  const heads = Automerge.getHeads((await client(t, first.ws).find(urlOf(rootId))).doc())
  await first.close()
  for (const documents of [adapter, new MemoryAdapter(), adapter]) {
    const relay = await start(t, { storage: { adapter: documents, folder } })
    t.strictSame(Automerge.getHeads((await client(t, relay.ws).find(urlOf(rootId))).doc()), heads)
    await relay.close()
    t.ok([...documents.stored.values()].some(({ key: [id] }) => id === rootId))
  }
})

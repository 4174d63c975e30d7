import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { networkInterfaces } from 'node:os'
import t, { type Test } from 'tap'
import { Repo } from '@automerge/automerge-repo'
import Fastify from 'fastify'
import relay from '../../app.ts'
import { client, listen, start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'

const get = async (url: string, headers: Record<string, string> = {}) => {
  const response = await fetch(url, { headers, redirect: 'manual' })
  return { status: response.status, headers: response.headers, text: await response.text() }
}

const json = async (url: string, headers: Record<string, string> = {}) => {
  const { status, text } = await get(url, headers)
  return { status, ...JSON.parse(text) }
}

/** The status of a request with headers that fetch does not let through. */
const statusOf = async (
  url: string, headers: Record<string, string>
): Promise<number | undefined> => await new Promise((resolve, reject) => {
  request(url, { headers }, response => {
    response.resume()
    resolve(response.statusCode)
  }).on('error', reject).end()
})

const names = (shell: string): string[] => [...shell.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, name]) => name!)

t.test('without the option there is no page', async t => {
  const { http } = await start(t)
  t.equal((await get(`${http}/dashboard`)).status, 404)
  t.equal((await get(`${http}/dashboard/data/figures`)).status, 404)
})

for (const [name, prefix, ignoreTrailingSlash] of [['at the root', '', true], ['in a host', '/sync', false]] as const) {
  t.test(`the page and its files, ${name}`, async t => {
    const app = Fastify({ routerOptions: { ignoreTrailingSlash } })
    app.register(relay, { prefix, storage: await scratch(t), dashboard: true })
    const { http } = await listen(t, app)
    const page = `${http}${prefix}/dashboard`
    const shell = await get(page)
    t.equal(shell.status, 200)
    t.match(shell.headers.get('content-type'), 'text/html')
    t.equal(shell.headers.get('cache-control'), 'no-cache')
    t.match(shell.headers.get('content-security-policy'), "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'")
    t.notMatch(shell.headers.get('content-security-policy'), /unsafe-inline|https?:|\*/)
    t.equal(shell.headers.get('access-control-allow-origin'), null)
    t.equal((await get(page, { 'if-none-match': shell.headers.get('etag')! })).status, 304)
    t.equal((await fetch(page, { method: 'HEAD' })).status, 200)
    const slash = await get(`${page}/?a=b`)
    t.equal(new URL(slash.headers.get('location')!, `${page}/`).href, `${page}?a=b`)
    for (const file of names(shell.text)) {
      const { status, headers } = await get(new URL(file, page).href)
      t.equal(status, 200, file)
      t.equal(headers.get('cache-control'), 'public, max-age=31536000, immutable')
      t.equal(headers.get('x-content-type-options'), 'nosniff')
    }
    for (const other of ['nothing.js', 'index.html', '..%2f..%2fpackage.json', 'licenses.txt']) {
      t.equal((await get(`${page}/${other}`)).status, 404, other)
    }
  })
}

t.test('an open relay answers only this machine, and no other site’s page', async t => {
  const { http, app } = await start(t, { dashboard: true })
  const figures = `${http}/dashboard/data/figures`
  t.equal((await get(figures)).status, 200)
  t.equal((await get(figures)).headers.get('access-control-allow-origin'), null)
  for (const path of ['', '/data/figures', '/data/documents']) {
    const url = `${http}/dashboard${path}`
    t.match(await json(url, { 'x-forwarded-for': '127.0.0.1' }), {
      status: 403, code: 'RELAY_ACCESS_DENIED', error: /proxy/
    })
    t.equal(await statusOf(url, { host: 'evil.example' }), 403)
    t.equal(await statusOf(url, { origin: 'https://evil.example' }), 403)
  }
  const { port } = new URL(http)
  const outside = Object.values(networkInterfaces()).flat()
    .find(one => one?.internal === false && one.family === 'IPv4')
  if (outside !== undefined) {
    const other = Fastify()
    t.teardown(() => other.close())
    other.register(relay, { storage: await scratch(t), dashboard: true })
    await other.listen({ port: 0, host: outside.address })
    t.equal(
      await statusOf(`http://${outside.address}:${(other.server.address() as { port: number }).port}/dashboard`, {
        host: `localhost:${port}`
      }),
      403
    )
  }
  t.match(
    await (await fetch(`${http}/metrics`, { headers: { accept: 'text/plain' } })).text(),
    'relay_access_refused_total{code="RELAY_ACCESS_DENIED"} 9'
  )
  t.ok(app)
})

t.test('with access control: the page to everybody, what it shows to who may administer, from anywhere', async t => {
  const hash = (token: string) => createHash('sha256').update(token).digest('hex')
  const rules = await scratch(t, {
    'rules.json': JSON.stringify({
      rules: [{ principals: ['op'], allow: ['administer'] }, { principals: ['ann'], allow: ['document:read'] }]
    })
  })
  const { http } = await start(t, {
    dashboard: true, tokens: `op:${hash('operator')},ann:${hash('reader')}`, rules: `${rules}/rules.json`
  })
  t.equal((await get(`${http}/dashboard`, { 'x-forwarded-for': '10.0.0.1' })).status, 200)
  for (const path of ['figures', 'connections', 'documents', 'documents/x', 'bundles', 'bundles/x']) {
    const url = `${http}/dashboard/data/${path}`
    t.match(await json(url), { status: 401, code: 'RELAY_UNAUTHENTICATED' }, path)
    t.match(await json(url, { authorization: 'Bearer reader' }), { status: 403, code: 'RELAY_ACCESS_DENIED' }, path)
  }
  const operator = { authorization: 'Bearer operator', 'x-forwarded-for': '10.0.0.1' }
  t.equal((await get(`${http}/dashboard/data/figures`, operator)).status, 200)
  t.equal((await get(`${http}/dashboard/data/figures?token=operator`)).status, 200)
})

/** A relay with documents, each with a peer that follows it. */
async function busy (t: Test, count: number) {
  const running = await start(t, { dashboard: true })
  const repos: Repo[] = []
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    repos.push(client(t, running.ws))
    ids.push(repos[n]!.create({ n }).documentId)
  }
  const data = `${running.http}/dashboard/data`
  await until(async () => (await json(`${data}/documents?open=true`)).list.length === count)
  // a client that is slow to connect tries again
  await until(async () => (await json(`${data}/connections`)).total === count)
  return { ...running, data, repos, ids: ids.sort() }
}

t.test('connections: the newest first, in parts, found by name and by document', async t => {
  const { data, repos, ids } = await busy(t, 5)
  const all = await json(`${data}/connections`)
  t.equal(all.total, 5)
  const age = all.list.map(({ key }: { key: string }) => Number(key.split('-')[1]))
  t.strictSame(age, [...age].sort((a, b) => b - a))
  t.match(all.list[0], {
    address: '127.0.0.1', principal: 'anonymous', followed: 1, backlog: 0, received: { messages: Number, bytes: Number }
  })
  t.ok(Math.abs(Date.now() - all.list[0].since) < 60_000)
  t.strictSame(
    (await json(`${data}/connections?offset=3&limit=2`)).list.map(({ key }: { key: string }) => key),
    all.list.slice(3).map(({ key }: { key: string }) => key)
  )
  t.match(await json(`${data}/connections?search=${repos[2]!.peerId.toUpperCase()}`), {
    total: 1, list: [{ peerId: repos[2]!.peerId }]
  })
  t.match(await json(`${data}/connections?document=${ids[0]}`), { total: 1 })
  t.match(await json(`${data}/connections?document=none`), { status: 400, code: 'RELAY_ID_INVALID' })
  for (const query of ['limit=0', 'limit=201', 'offset=-1', 'limit=x']) {
    t.equal((await json(`${data}/connections?${query}`)).status, 400, query)
  }
})

t.test('documents: in parts, by how their ids begin, those in memory, one', async t => {
  const { data, ids, app } = await busy(t, 5)
  const stored = (await json(`${data}/documents`)).list.map(({ id }: { id: string }) => id)
  t.strictSame(stored.filter((id: string) => ids.includes(id)), ids)
  const pages: string[] = []
  for (let after = ''; ;) {
    const { list, isMore } = await json(`${data}/documents?open=true&limit=2${after && `&after=${after}`}`)
    for (const { id } of list) pages.push(after = id)
    if (!isMore) break
  }
  t.strictSame(pages, ids)
  t.strictSame((await json(`${data}/documents?prefix=${ids[3]}`)).list.map(({ id }: { id: string }) => id), [ids[3]])
  t.match(await json(`${data}/documents/${ids[0]}`), {
    id: ids[0], isDeleted: false, live: { peers: 1, changes: 1, heads: [/^[0-9a-f]{64}$/] }
  })
  t.ok((await json(`${data}/documents/${ids[0]}`)).bytes > 50)
  t.match(await json(`${data}/documents/nonsense`), { status: 400, code: 'RELAY_ID_INVALID' })
  t.ok(app)
})

t.test('documents that were deleted are told to be', async t => {
  const { http } = await start(t, { dashboard: true, authenticate: () => ({ id: 'ann' }), authorize: () => true })
  const answer = await fetch(`${http}/api/documents`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}'
  })
  const { id } = await answer.json() as { id: string }
  t.match(await json(`${http}/dashboard/data/documents/${id}`), { id, isDeleted: false })
  t.ok((await fetch(`${http}/api/documents/${id}`, { method: 'DELETE' })).ok)
  t.match(await json(`${http}/dashboard/data/documents/${id}`), { id, isDeleted: true, live: null, bytes: 0 })
  t.ok((await json(`${http}/dashboard/data/documents`)).list.some(
    (row: { id: string, isDeleted: boolean }) => row.id === id && row.isDeleted
  ))
})

t.test('bundles: listed, and what is in one', async t => {
  const { http } = await start(t, { dashboard: true })
  const data = `${http}/dashboard/data`
  t.match(await json(`${data}/bundles`), { status: 200, list: [], isMore: false })
  const body = await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer()
  const { id } = await (await fetch(`${http}/api/bundles`, { method: 'POST', body })).json() as { id: string }
  t.match(await json(`${data}/bundles?limit=1`), { list: [{ id, size: body.byteLength }], isMore: true })
  t.match(await json(`${data}/bundles?limit=1&after=${id}`), { list: [], isMore: false })
  t.match(await json(`${data}/bundles/${id}`), {
    id, size: body.byteLength, etag: /^"/, manifest: { rootId: id }, documents: [id]
  })
  t.match(await json(`${data}/bundles/3X4Q62EiCtGYZ5W1RsLMSZV8WPRZ`), { status: 404, code: 'RELAY_BUNDLE_NOT_FOUND' })
  t.match(await json(`${data}/bundles/nonsense`), { status: 400, code: 'RELAY_ID_INVALID' })
})

t.test('a store that does not tell what it has', async t => {
  const store = { open: async () => null, put: async () => {}, check: async () => {}, close: async () => {} }
  const { http } = await start(t, { dashboard: true, store })
  t.match(await json(`${http}/dashboard/data/bundles`), { status: 200, list: null, isMore: false })
})

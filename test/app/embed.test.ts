import t from 'tap'
import Fastify from 'fastify'
import cors from '@fastify/cors'
import websocket from '@fastify/websocket'
import WebSocket from 'ws'
import { once } from 'node:events'
import { Readable } from 'node:stream'
import relay, { createRelay, type BundleStore } from '../../app.ts'
import { FolderBundles } from '../lib/bundles/stores/folder.ts'
import { client, listen, start, until, urlOf } from '../helper.ts'
import { scratch } from '../scratch.ts'

const blankOf = async (http: string) => new Uint8Array(await (await fetch(`${http}/api/blank-tonk`)).arrayBuffer())

t.test('under a prefix, everything below it and nothing else', async t => {
  const app = Fastify()
  app.get('/', async () => 'the host')
  app.register(relay, { prefix: '/sync', storage: await scratch(t) })
  const { http, ws } = await listen(t, app)
  t.equal(await (await fetch(`${http}/`)).text(), 'the host')
  for (const path of ['/sync', '/sync/']) t.match(await (await fetch(`${http}${path}`)).text(), /Tonk/)
  for (const path of ['/sync/.manifest.tonk', '/sync/metrics', '/sync/api/blank-tonk']) {
    t.equal((await fetch(http + path)).status, 200, path)
  }
  t.equal((await fetch(`${http}/metrics`)).status, 404)
  for (const [path, status] of [['/sync/nope', 404], ['/sync/api/bundles/nope', 404], ['/nope', 404]] as const) {
    const response = await fetch(http + path)
    t.equal(response.status, status)
    t.type((await response.json() as { error: unknown }).error, 'string')
  }
  const [a, b] = [client(t, `${ws}/sync`), client(t, `${ws}/sync/`)]
  const ours = a.create({ n: 1 })
  t.strictSame((await b.find(ours.url)).doc(), { n: 1 })
})

t.test('nothing of the relay is seen by the host', async t => {
  const app = Fastify()
  const before = new Set(Reflect.ownKeys(app))
  app.register(relay, { prefix: '/sync', storage: await scratch(t) })
  await listen(t, app)
  for (const name of ['sync', 'bundles', 'storage', 'metrics', 'sockets', 'automerge', 'wasm', 'methods']) {
    t.notOk(app.hasDecorator(name), name)
  }
  t.strictSame(Reflect.ownKeys(app).filter(key => !before.has(key) && typeof key === 'string'), [])
  t.notOk(app.hasReplyDecorator('represent'))
})

t.test('with the host’s own @fastify/websocket and @fastify/cors', async t => {
  const app = Fastify()
  await app.register(websocket)
  await app.register(cors, { origin: 'https://host.example' })
  app.get('/echo', { websocket: true }, socket => { socket.on('message', data => { socket.send(data) }) })
  app.register(relay, { prefix: '/sync', storage: await scratch(t), maxFrame: 10_000 })
  const { http, ws } = await listen(t, app)
  t.equal(
    (await fetch(`${http}/sync`, { headers: { origin: 'https://host.example' } })).headers.get(
      'access-control-allow-origin'
    ),
    'https://host.example'
  )
  const echo = new WebSocket(`${ws}/echo`)
  await once(echo, 'open')
  echo.send('hello')
  t.equal(String((await once(echo, 'message'))[0]), 'hello')
  const [a, b] = [client(t, `${ws}/sync`), client(t, `${ws}/sync`)]
  t.strictSame((await b.find(a.create({ n: 1 }).url)).doc(), { n: 1 })
  const large = new WebSocket(`${ws}/sync`)
  await once(large, 'open')
  large.send(new Uint8Array(10_001))
  t.equal((await once(large, 'close'))[0], 1009, 'the relay’s own bound on frames holds')
})

t.test('two relays in one host know nothing of each other', async t => {
  const app = Fastify()
  app.register(relay, { prefix: '/one', storage: await scratch(t) })
  app.register(relay, { prefix: '/two', storage: await scratch(t) })
  const { http, ws } = await listen(t, app)
  const ours = client(t, `${ws}/one`).create({ n: 1 })
  await until(
    async () => (await (await fetch(`${http}/one/metrics`)).json() as { connections: number }).connections === 1
  )
  t.equal((await (await fetch(`${http}/two/metrics`)).json() as { connections: number }).connections, 0)
  await t.rejects(client(t, `${ws}/two`).find(ours.url), /unavailable/)
  t.strictSame((await client(t, `${ws}/one`).find(ours.url)).doc(), { n: 1 })
  t.notSame(await blankOf(`${http}/one`), await blankOf(`${http}/two`))
})

t.test('a host’s own bundle store is used, and not closed', async t => {
  const calls: string[] = []
  const folder = new FolderBundles({ folder: await scratch(t) })
  const store: BundleStore = {
    open: async id => { calls.push('open'); return await folder.open(id) },
    put: async (id, file) => { calls.push('put'); await folder.put(id, file) },
    check: async () => { calls.push('check'); await folder.check() },
    close: async () => { calls.push('close') }
  }
  const { http, close } = await start(t, { store })
  const uploaded = await fetch(`${http}/api/bundles`, { method: 'POST', body: await blankOf(http) })
  t.equal(uploaded.status, 200)
  const { id } = await uploaded.json() as { id: string }
  t.equal((await fetch(`${http}/api/bundles/${id}`)).status, 200)
  await close()
  t.strictSame([...new Set(calls)].sort(), ['check', 'open', 'put'])
})

t.test('what cannot start says so when the host gets ready', async t => {
  const storage = await scratch(t)
  for (const [options, code] of [
    [{ maxFrame: -1 }, 'RELAY_BAD_OPTION'], [{ bundle: '/nowhere.tonk' }, 'RELAY_FILE_NOT_FOUND'],
    [{ wasm: '/nowhere.wasm' }, 'RELAY_FILE_NOT_FOUND'],
    [{ storage: '/dev/null/x' }, 'RELAY_STORAGE_FAILED'], [{ bundle: 'package.json' }, 'RELAY_BUNDLE_INVALID']
  ] as const) {
    const app = Fastify()
    app.register(relay, { storage, ...options })
    await t.rejects(async () => { await app.ready() }, { code }, JSON.stringify(options))
    await app.close()
  }
})

t.test('a WebSocket on any path when it is told so', async t => {
  const { http, ws } = await start(t, { anyPath: true })
  const ours = client(t, `${ws}/some/where?x=1`).create({ n: 1 })
  t.strictSame((await client(t, ws).find(urlOf(ours.documentId))).doc(), { n: 1 })
  t.equal((await fetch(`${http}/some/where`)).status, 404)
})

t.test('a host reaches into its relays by what createRelay gave it, and their clients see what it does', async t => {
  const [notes, tasks] = [createRelay(), createRelay()]
  const app = Fastify()
  const name: string = 'repo' // which the host may use for something else
  app.decorate(name, 'the host’s own')
  t.throws(() => notes.repo, { code: 'RELAY_NOT_READY' })
  await app.register(notes.plugin, { prefix: '/notes', storage: await scratch(t) })
  app.register(tasks.plugin, { prefix: '/tasks', storage: await scratch(t) })
  app.get<{ Params: { id: string } }>('/titles/:id', async ({ params }) => {
    const handle = await notes.repo.find<{ title: string }>(urlOf(params.id))
    return { title: handle.doc().title }
  })
  t.equal(notes.sync.stats().connections, 0)
  t.throws(() => tasks.bundles, { code: 'RELAY_NOT_READY' }, 'registered and not awaited')
  const { http, ws } = await listen(t, app)
  t.equal(app.getDecorator(name), 'the host’s own')

  const changed: string[] = []
  t.teardown(notes.sync.onChange(id => { changed.push(id) }))
  const ours = notes.repo.create({ title: 'from the host' })
  await notes.repo.flush([ours.documentId])
  t.strictSame(changed, [ours.documentId])
  const theirs = await client(t, `${ws}/notes`).find<{ title: string }>(ours.url)
  t.strictSame(theirs.doc(), { title: 'from the host' })
  theirs.change(doc => { doc.title = 'from a client' })
  await until(() => ours.doc().title === 'from a client')
  t.strictSame(await (await fetch(`${http}/titles/${ours.documentId}`)).json(), { title: 'from a client' })
  await t.rejects(tasks.repo.find(ours.url), /unavailable/)

  await tasks.sync.merge(ours.documentId, [(await notes.sync.snapshot(ours.documentId))!])
  await t.rejects(tasks.repo.find(ours.url), /unavailable/, 'it was told so')
  await until(() => tasks.repo.handles[ours.documentId]!.isReady())
  t.strictSame((await tasks.repo.find(ours.url)).doc(), { title: 'from a client' })

  const { id } = await notes.bundles.receive(Readable.from([await blankOf(`${http}/notes`)]))
  t.equal((await fetch(`${http}/notes/api/bundles/${id}`)).status, 200)
  t.ok((await notes.bundles.slim(id)).bytes.length > 0)
  await t.rejects(tasks.bundles.download(id), { code: 'RELAY_BUNDLE_NOT_FOUND' })
  for (const bad of ['../x', `automerge:${id}`]) {
    await t.rejects(notes.bundles.live(bad), { code: 'RELAY_ID_INVALID' })
    await t.rejects(notes.sync.snapshot(bad), { code: 'RELAY_ID_INVALID' })
  }
})

t.test('what createRelay gave is registered once', async t => {
  const storage = await scratch(t)
  const notes = createRelay()
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  app.register(notes.plugin, { prefix: '/a', storage })
  app.register(notes.plugin, { prefix: '/b', storage })
  await t.rejects(async () => { await app.ready() }, { code: 'RELAY_BAD_OPTION' })
})

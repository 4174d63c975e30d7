import { setTimeout as sleep } from 'node:timers/promises'
import { Repo, type DocumentId, type PeerId } from '@automerge/automerge-repo'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import relay, { Revocations, type RelayOptions } from '../../app.ts'
import { RelayClientAdapter, type ConnectionState, type RelayClientOptions } from '../../client.ts'
import { RelayError } from '../../lib/errors.ts'
import { listen, start, until } from '../helper.ts'
import { scratch } from '../scratch.ts'
import { runNetworkAdapterTests, runSuite } from './acceptance/suite.ts'

type Fields = Record<string, unknown>

const ADDRESS = /^ws:\/\/127\.0\.0\.1:(\d+)$/

/** On whatever Node has, as the package is; `ws` where that is nothing. */
async function connected (t: Test, url: string, options: RelayClientOptions = {}) {
  const adapter = new RelayClientAdapter(url, { retry: { first: 20, longest: 100 }, ...options })
  const states: ConnectionState[] = []
  adapter.on('state', state => { states.push(state) })
  const repo = new Repo({ network: [adapter], peerId: `client-${Math.random()}` as PeerId })
  t.teardown(() => { adapter.disconnect() })
  return { adapter, repo, states }
}

/** A relay that knows two people, by tokens that a test may make invalid. */
async function guarded (t: Test, more: RelayOptions = {}) {
  const people = new Map([['ann-1', 'ann'], ['ann-2', 'ann'], ['reader', 'reader']])
  const expires = new Map<string, number>()
  const revocations = new Revocations()
  const app = Fastify()
  const storage = await scratch(t)
  app.register(relay, {
    storage,
    revocations,
    authenticate: async ({ token = '' }) => {
      const id = people.get(token)
      if (id === undefined) throw new RelayError('RELAY_UNAUTHENTICATED', 'not one of ours')
      return { id, expires: expires.get(token) }
    },
    authorize: async ({ id }, action) => action === 'document:read' || id === 'ann',
    ...more
  })
  return { people, expires, revocations, storage, ...await listen(t, app) }
}

t.test('documents sync, and `saved` tells when the relay has them on its disk', async t => {
  const { ws } = await start(t)
  const one = await connected(t, ws)
  const two = await connected(t, ws)
  const handle = one.repo.create<Fields>({ text: 'first' })
  await one.adapter.saved(handle)
  t.ok(one.adapter.isSaved(handle))
  const other = await two.repo.find<Fields>(handle.url)
  t.equal(other.doc()['text'], 'first')
  handle.change(doc => { doc['text'] = 'second' })
  t.notOk(one.adapter.isSaved(handle))
  await one.adapter.saved(handle.url)
  await until(() => other.doc()['text'] === 'second')
  t.ok(one.adapter.isSaved(handle))
  t.strictSame(one.states.map(({ status }) => status), ['connecting', 'connected'])
})

t.test('what is saved survives the relay, and what is not is said to be unsaved until it returns', async t => {
  const first = await start(t)
  const { adapter, repo, states } = await connected(t, first.ws)
  const unsaved: boolean[] = []
  adapter.on('unsaved', change => { unsaved.push(change.unsaved) })
  const handle = repo.create<Fields>({ n: 0 })
  await adapter.saved(handle)
  await first.close()
  await until(() => states.at(-1)?.status === 'offline')
  t.match(states.find(({ code }) => code !== undefined), { status: 'offline', code: 'RELAY_CLOSING' })
  handle.change(doc => { doc['n'] = 1 })
  t.notOk(adapter.isSaved(handle))
  const ended = new AbortController()
  const waiting = adapter.saved(handle, { signal: ended.signal })
  ended.abort(new Error('the page closes'))
  await t.rejects(waiting, { message: 'the page closes' })

  const [, port] = ADDRESS.exec(first.ws)!
  const app = Fastify()
  t.teardown(async () => { await app.close() })
  app.register(relay, { storage: first.storage })
  await app.listen({ port: Number(port), host: '127.0.0.1' })
  await adapter.saved(handle)
  t.equal(adapter.state.status, 'connected')
  t.ok(unsaved.length > 0 && unsaved.length % 2 === 0 && unsaved.at(-1) === false)
})

t.test('a token is asked for before each connection and before it expires; the socket stays', async t => {
  const { ws, expires } = await guarded(t)
  let asked = 0
  expires.set('ann-1', Date.now() + 1_000)
  const { adapter, repo, states } = await connected(t, ws, { token: async () => asked++ === 0 ? 'ann-1' : 'ann-2' })
  const handle = repo.create<Fields>({ a: 1 })
  await adapter.saved(handle)
  await until(() => asked === 2)
  await sleep(Math.max(expires.get('ann-1')! - Date.now(), 0) + 200) // the first one is of no use any more
  handle.change(doc => { doc['a'] = 2 })
  await adapter.saved(handle)
  t.strictSame(states.map(({ status }) => status), ['connecting', 'connected'])
})

t.test('a token that is refused is told apart, nothing throws, and the next one is taken', async t => {
  const { ws } = await guarded(t)
  let token = 'stranger'
  const { adapter, states } = await connected(t, ws, { token: () => token })
  await until(() => states.some(({ status }) => status === 'refused'))
  t.match(states.find(({ status }) => status === 'refused'), { code: 'RELAY_UNAUTHENTICATED', retryAt: Number })
  token = 'ann-1'
  adapter.reconnect()
  await until(() => adapter.state.status === 'connected')
})

t.test('access that is taken back is not tried again until somebody says so', async t => {
  const { ws, revocations } = await guarded(t)
  const { adapter, states } = await connected(t, ws, { token: () => 'ann-1' })
  await until(() => adapter.state.status === 'connected')
  revocations.revoke('ann')
  await until(() => adapter.state.status === 'stopped')
  t.match(states.at(-1), { status: 'stopped', code: 'RELAY_ACCESS_REVOKED' })
  revocations.reinstate('ann')
  adapter.reconnect()
  await until(() => adapter.state.status === 'connected')
})

t.test('what somebody who may only read has changed stays unsaved', async t => {
  const { ws } = await guarded(t)
  const ann = await connected(t, ws, { token: () => 'ann-1' })
  const handle = ann.repo.create<Fields>({ by: 'ann' })
  await ann.adapter.saved(handle)
  const reader = await connected(t, ws, { token: () => 'reader' })
  const copy = await reader.repo.find<Fields>(handle.url)
  const told = new Promise(resolve => { reader.adapter.on('unsaved', resolve) })
  copy.change(doc => { doc['by'] = 'reader' })
  t.strictSame(await told, { documentId: handle.documentId, unsaved: true })
  t.notOk(reader.adapter.isSaved(copy))
  t.equal(reader.adapter.state.status, 'connected')
})

t.test('a document that the relay does not take is told of', async t => {
  const { ws } = await start(t, { limits: { documentsPerConnection: 1 } })
  const denied: Array<[DocumentId, string]> = []
  const { adapter, repo } = await connected(t, ws, { onDenied: (id, code) => { denied.push([id, code]) } })
  await adapter.saved(repo.create<Fields>({ n: 1 }))
  const second = repo.create<Fields>({ n: 2 })
  await until(() => denied.length > 0)
  t.strictSame(denied[0], [second.documentId, 'RELAY_TOO_MANY_DOCUMENTS'])
  t.notOk(adapter.isSaved(second))
})

t.test('nobody there, a token that cannot be sent, a token that cannot be had: states, no error', async t => {
  const nobody = await connected(t, 'ws://127.0.0.1:9')
  await until(() => nobody.states.filter(({ status }) => status === 'offline').length > 1)
  const odd = await connected(t, 'ws://127.0.0.1:9', { token: () => 'with a space' })
  await until(() => odd.states.some(({ message }) => message?.includes('cannot be sent') === true))
  const failing = await connected(t, 'ws://127.0.0.1:9', { token: async () => { throw new Error('no login') } })
  await until(() => failing.states.some(({ message }) => message === 'no login'))
})

t.test('with the package `ws`, as in Node before 22', async t => {
  const { ws } = await start(t)
  const openSocket = (url: string, protocols: string[]): never => new WebSocket(url, protocols) as never
  const { adapter, repo } = await connected(t, ws, { openSocket })
  const handle = repo.create<Fields>({ a: 1 })
  await adapter.saved(handle)
  t.ok(adapter.isSaved(handle))
})

/** The suite gives documents 50 ms to be brought to the relay. */
class PatientAdapter extends RelayClientAdapter {
  readonly #patience = super.whenReady().then(async () => { await sleep(300) })
  override async whenReady (): Promise<void> { await this.#patience }
}

const PEERS_ONLY = 'peers are connected to the relay, not to each other'

t.test('automerge-repo’s suite for network adapters', async t => {
  const { ws } = await start(t)
  const scenarios = await runSuite(t, () => {
    runNetworkAdapterTests(async () => {
      const adapters = [1, 2, 3].map(() => new PatientAdapter(ws)) as [PatientAdapter, PatientAdapter, PatientAdapter]
      return { adapters, teardown: () => { for (const adapter of adapters) adapter.disconnect() } }
    })
  }, {
    'emits a peer-candidate event with proper peer metadata when a peer connects': PEERS_ONLY,
    'should emit disconnect events on disconnect': PEERS_ONLY,
    'should not send messages after disconnect': PEERS_ONLY
  })
  t.equal(scenarios, 7)
})

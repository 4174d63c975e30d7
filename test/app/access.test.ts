import t, { type Test } from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import * as Automerge from '@automerge/automerge'
import type { DocHandle } from '@automerge/automerge-repo'
import Fastify from 'fastify'
import relay, { Revocations } from '../../app.ts'
import type { Action } from '../../lib/access/action.ts'
import { newDocumentId, type DocumentId } from '../../lib/ids.ts'
import { client, listen, until } from '../helper.ts'
import { issuer, seconds } from '../lib/access/identity/issuer.ts'
import { scratch } from '../scratch.ts'
import { generations } from './interop/generations.ts'
import { RawPeer } from './interop/raw-peer.ts'

interface Doc { [key: string]: number }

const READ: Action[] = ['document:read']
const ALL: Action[] = ['document:read', 'document:write', 'document:create']

/** A relay whose callers are called what their token says and may do what `may` says, at once or after a while. */
async function serve (t: Test, { delay = 0 } = {}) {
  const storage = await scratch(t)
  const may = new Map<string, Action[]>()
  const forbidden = new Set<string>()
  /** Of whom nobody can say what they may. */
  const broken = new Set<string>()
  const revocations = new Revocations()
  const app = Fastify()
  const seen = {
    stored: async (_id: string): Promise<unknown> => undefined, figure: async (_name: string): Promise<number> => 0
  }
  app.register(async scope => {
    await relay(scope, {
      storage,
      revocations,
      authenticate: ({ token }) => token === undefined ? null : { id: token },
      authorize: ({ id }, action, resource) => {
        // as a function that is not async does
        if (broken.has(`${id} ${resource.id}`)) throw new Error('the members cannot be read')
        return authorize(id, action, resource.id)
      }
    })
    const authorize = async (id: string, action: Action, document: string | undefined): Promise<boolean> => {
      if (delay > 0) await sleep(delay)
      return may.get(id)?.includes(action) === true && !forbidden.has(`${id} ${document}`)
    }
    seen.stored = async id => {
      const bytes = await scope.sync.snapshot(id as DocumentId)
      return bytes === null ? null : Automerge.toJS(Automerge.load(bytes))
    }
    seen.figure = async name => (await scope.metrics.text()).split('\n').filter(line => line.startsWith(name))
      .reduce((sum, line) => sum + Number(line.split(' ')[1]), 0)
  })
  const { ws } = await listen(t, app)
  return { ...seen, may, forbidden, broken, revocations, url: (name: string) => `${ws}/?token=${name}` }
}

const idOf = ({ documentId }: DocHandle<unknown>): string => documentId

for (const delay of [0, 5]) {
  t.test(`a read-only peer that writes: ${delay === 0 ? 'rights known soon' : 'rights that take a while'}`, async t => {
    const { may, url, stored, figure } = await serve(t, { delay })
    may.set('writer', ALL).set('reader', READ)
    const [writer, reader, other] = [client(t, url('writer')), client(t, url('reader')), client(t, url('writer'))]
    const theirs = writer.create<Doc>({ a: 1 })
    await until(async () => await stored(idOf(theirs)) !== null)
    const read = await reader.find<Doc>(theirs.url)
    t.strictSame(read.doc(), { a: 1 })
    read.change(d => { d['mine'] = 1 })
    for (let n = 0; n < 5; n++) {
      theirs.change(d => { d['a'] = n + 10 })
      read.change(d => { d['mine'] = n + 10 })
      await until(() => read.doc()['a'] === n + 10)
    }
    t.equal(read.doc()['mine'], 14)
    const third = await other.find<Doc>(theirs.url)
    t.strictSame(third.doc(), { a: 14 }, 'not forwarded')
    t.strictSame(await stored(idOf(theirs)), { a: 14 }, 'not stored')
    await sleep(500)
    const before = [await figure('relay_messages_received_total'), await figure('relay_sync_fallbacks_total')]
    await sleep(1_500)
    t.strictSame(
      [await figure('relay_messages_received_total'), await figure('relay_sync_fallbacks_total')],
      before,
      'and it is quiet'
    )
    theirs.change(d => { d['a'] = 99 })
    await until(() => read.doc()['a'] === 99 && third.doc()['a'] === 99)
  })
}

for (const [version, connect] of Object.entries(generations)) {
  t.test(`read-only clients of automerge-repo ${version}`, async t => {
    const { may, url, stored, figure } = await serve(t)
    may.set('writer', ALL).set('reader', READ)
    const theirs = generations['2.5.6']!(t, url('writer')).create({ a: 1 })
    const id = theirs.url.slice('automerge:'.length)
    await until(async () => await stored(id) !== null)
    const read = await connect(t, url('reader')).find(theirs.url)
    for (let n = 0; n < 5; n++) {
      read.change({ mine: n })
      theirs.change({ a: n + 10 })
      await until(() => read.read()['a'] === n + 10)
    }
    t.strictSame(read.read(), { a: 14, mine: 4 })
    t.strictSame(await stored(id), { a: 14 })
    await sleep(500)
    const before = await figure('relay_messages_received_total')
    await sleep(1_000)
    t.equal(await figure('relay_messages_received_total'), before, 'and it is quiet')
    const refused = await figure('relay_access_refused_total{code="RELAY_ACCESS_DENIED"}')
    t.comment(`${refused} messages with changes refused`)
  })
}

t.test('where nobody can say what one may do with a document, its peers go on with their others', async t => {
  const { may, broken, url, stored, figure, revocations } = await serve(t)
  may.set('writer', ALL).set('reader', READ)
  const [writer, reader] = [client(t, url('writer')), client(t, url('reader'))]
  const [one, other] = [writer.create<Doc>({ a: 1 }), writer.create<Doc>({ b: 1 })]
  await until(async () => await stored(idOf(one)) !== null && await stored(idOf(other)) !== null)
  const read = await reader.find<Doc>(one.url)
  broken.add(`reader ${idOf(other)}`)
  await t.rejects(reader.find(other.url), /unavailable/)
  for (let n = 0; n < 5; n++) one.change(d => { d['a'] = n + 10 })
  await until(() => read.doc()['a'] === 14)
  t.equal(await figure('relay_connections_refused_total'), 0, 'nobody is closed')
  t.ok(await figure('relay_access_refused_total{code="RELAY_INTERNAL"}') > 0)

  broken.clear()
  revocations.refresh('reader')
  const late = reader.handles[idOf(other) as never] as unknown as DocHandle<Doc>
  await until(() => late.isReady() && late.doc()['b'] === 1)
  broken.add(`reader ${idOf(one)}`)
  revocations.refresh('reader')
  other.change(d => { d['b'] = 2 })
  await until(() => late.doc()['b'] === 2)
  one.change(d => { d['a'] = 99 })
  other.change(d => { d['b'] = 3 })
  await until(() => late.doc()['b'] === 3)
  t.equal(read.doc()['a'], 14, 'and nothing of it is told')
  t.equal(await figure('relay_connections_refused_total'), 0)
})

for (const delay of [0, 5]) {
  t.test('a right that is taken counts from then on, and one that is given back too: ' +
    `${delay === 0 ? 'known soon' : 'after a while'}`, async t => {
    const { may, url, stored, revocations } = await serve(t, { delay })
    may.set('writer', ALL).set('reader', READ)
    const [writer, reader] = [client(t, url('writer')), client(t, url('reader'))]
    const theirs = writer.create<Doc>({ a: 1 })
    await until(async () => await stored(idOf(theirs)) !== null)
    const read = await reader.find<Doc>(theirs.url)
    const ears = await RawPeer.join(t, url('reader'))
    ears.sync(idOf(theirs), {}, 'request')
    await ears.next('sync')
    may.set('reader', [])
    revocations.refresh('reader')
    await ears.next('doc-unavailable')
    for (let n = 0; n < 3; n++) revocations.refresh('reader') // nothing has changed
    theirs.change(d => { d['a'] = 2 })
    await until(async () => (await stored(idOf(theirs)) as Doc)['a'] === 2)
    t.equal(read.doc()['a'], 1)
    may.set('reader', READ)
    revocations.refresh('reader')
    await until(() => read.doc()['a'] === 2)
    await ears.next('sync')
  })
}

t.test('changes made while they were not taken arrive when they are', async t => {
  const { may, url, stored, revocations } = await serve(t)
  may.set('writer', ALL).set('reader', READ)
  const [writer, reader] = [client(t, url('writer')), client(t, url('reader'))]
  const theirs = writer.create<Doc>({ a: 1 })
  await until(async () => await stored(idOf(theirs)) !== null)
  const read = await reader.find<Doc>(theirs.url)
  read.change(d => { d['mine'] = 1 })
  theirs.change(d => { d['a'] = 2 })
  await until(() => read.doc()['a'] === 2)
  may.set('reader', ALL)
  revocations.refresh('reader')
  await until(() => theirs.doc()['mine'] === 1)
  may.set('reader', READ)
  revocations.refresh()
  read.change(d => { d['mine'] = 2 })
  theirs.change(d => { d['a'] = 3 })
  await until(() => read.doc()['a'] === 3)
  t.strictSame(await stored(idOf(theirs)), { a: 3, mine: 1 })
})

t.test('a reader that comes with changes of its own, and one that brings what is not there', async t => {
  const { may, url, stored, figure } = await serve(t)
  may.set('writer', ALL).set('reader', READ)
  const [writer, reader] = [client(t, url('writer')), client(t, url('reader'))]
  const theirs = writer.create<Doc>({ a: 1 })
  for (let n = 0; n < 50; n++) theirs.change(d => { d['a'] = n })
  await until(async () => await stored(idOf(theirs)) !== null)
  const own = Automerge.change(Automerge.clone(theirs.doc() as Automerge.Doc<Doc>), d => { d['mine'] = 1 })
  const read = reader.import<Doc>(Automerge.save(own), { docId: theirs.documentId } as never)
  theirs.change(d => { d['a'] = 100 })
  await until(() => read.doc()['a'] === 100)
  t.equal((await stored(idOf(theirs)) as Doc)['mine'], undefined)
  const brought = reader.create<Doc>({ b: 1 })
  await sleep(500)
  const before = await figure('relay_messages_received_total')
  await sleep(1_000)
  t.equal(await stored(idOf(brought)), null)
  t.equal(await figure('relay_messages_received_total'), before, 'and it is quiet')
  const same = Automerge.clone(brought.doc() as Automerge.Doc<Doc>)
  brought.change(d => { d['mine'] = 1 })
  const now = writer.import<Doc>(Automerge.save(same), { docId: brought.documentId } as never)
  now.change(d => { d['b'] = 2 })
  await until(() => brought.doc()['b'] === 2)
  t.strictSame(await stored(idOf(brought)), { b: 2 }, 'when somebody who may brings it, its reader hears of it')
})

t.test('a document that one may not read is answered as one that is not there', async t => {
  const { may, forbidden, url, stored } = await serve(t)
  may.set('writer', ALL).set('spy', ALL)
  const writer = client(t, url('writer'))
  const theirs = writer.create<Doc>({ a: 1 })
  await until(async () => await stored(idOf(theirs)) !== null)
  const absent = newDocumentId()
  forbidden.add(`spy ${absent}`).add(`spy ${idOf(theirs)}`)
  const spy = await RawPeer.join(t, url('spy'))
  const change = Automerge.getLastLocalChange(Automerge.from({ spy: 1 }))!
  const answers = []
  for (const id of [idOf(theirs), absent]) {
    spy.sync(id, {}, 'request')
    spy.sync(id, { heads: [Automerge.decodeChange(change).hash], changes: [change] })
    spy.send({ type: 'ephemeral', documentId: id, data: new Uint8Array([1]), sessionId: 's', count: 1 })
    const got = [await spy.next('sync', 'doc-unavailable'), await spy.next('sync', 'doc-unavailable')]
    answers.push(got.map(({ documentId, ...rest }) => ({ ...rest, isTheSame: documentId === id })))
  }
  t.strictSame(answers[0], answers[1])
  t.match(answers[0], [{ type: 'doc-unavailable', isTheSame: true }, { type: 'doc-unavailable', isTheSame: true }])
  theirs.change(d => { d['a'] = 2 })
  await until(async () => (await stored(idOf(theirs)) as Doc)['a'] === 2)
  await sleep(100)
  t.notOk(spy.heard.some(({ type }) => type === 'sync' || type === 'ephemeral'), 'and nothing follows')
  t.strictSame(await stored(idOf(theirs)), { a: 2 })
  t.equal(await stored(absent), null)
})

t.test('taking read access back cuts a live connection off, giving it brings the document', async t => {
  const { may, forbidden, url, stored, revocations } = await serve(t)
  may.set('writer', ALL).set('ann', ALL)
  const [writer, ann] = [client(t, url('writer')), client(t, url('ann'))]
  const theirs = writer.create<Doc>({ a: 1 })
  await until(async () => await stored(idOf(theirs)) !== null)
  const read = await ann.find<Doc>(theirs.url)
  forbidden.add(`ann ${idOf(theirs)}`)
  revocations.refresh()
  await sleep(50)
  theirs.change(d => { d['a'] = 2 })
  read.change(d => { d['mine'] = 1 })
  await until(async () => (await stored(idOf(theirs)) as Doc)['a'] === 2)
  await sleep(300)
  t.strictSame(read.doc(), { a: 1, mine: 1 })
  t.strictSame(await stored(idOf(theirs)), { a: 2 })
  const late = client(t, url('ann'))
  await t.rejects(late.find(theirs.url), /unavailable/)
  forbidden.clear()
  revocations.refresh()
  await until(() => read.doc()['a'] === 2 && theirs.doc()['mine'] === 1)
  const handle = late.handles[idOf(theirs) as never]!
  await until(() => handle.isReady() && (handle.doc() as Doc)['mine'] === 1)
})

t.test('revoking closes live connections with 4403, and lets nobody in again until reinstated', async t => {
  const { may, url, revocations } = await serve(t)
  may.set('ann', ALL).set('bob', ALL)
  const [ann, bob] = [await RawPeer.join(t, url('ann')), await RawPeer.join(t, url('bob'))]
  revocations.revoke('ann')
  t.equal(await ann.closed, 4403)
  t.equal(
    (await fetch(url('ann').replace('ws:', 'http:').replace('/?', `/api/bundles/${newDocumentId()}?`))).status, 403
  )
  t.strictSame(await bob.heads(newDocumentId()), [])
  revocations.reinstate('ann')
  await RawPeer.join(t, url('ann'))
})

t.test('a live connection shows a new token', async t => {
  const { file, sign } = await issuer(t)
  const app = Fastify()
  app.register(relay, { storage: await scratch(t), jwtKeys: file, jwtTolerance: 0 })
  const { ws } = await listen(t, app)
  const id = newDocumentId()
  const peer = await RawPeer.join(t, `${ws}/?token=${await sign({ exp: seconds(3), relay: [{ allow: READ }] })}`)
  const doc = Automerge.from<Doc>({ a: 1 })
  const bring = () => { peer.sync(id, { heads: Automerge.getHeads(doc), changes: Automerge.getAllChanges(doc) }) }
  peer.send({ type: 'access' })
  t.match(await peer.next('access'), { expires: Number }, 'tells until when, and is told what is refused')
  bring()
  t.match(await peer.next('access'), { documentId: id, code: 'RELAY_ACCESS_DENIED', message: String })
  peer.send({ type: 'access', token: await sign({ sub: 'bob' }) })
  t.match(await peer.next('access'), { code: 'RELAY_ACCESS_DENIED' }, 'not somebody else’s')
  peer.send({ type: 'access', token: 'nonsense' })
  t.match(await peer.next('access'), { code: 'RELAY_UNAUTHENTICATED' })
  const exp = seconds(3600)
  peer.send({ type: 'access', token: await sign({ exp }) })
  t.match(await peer.next('access'), { expires: exp * 1000 })
  bring()
  await peer.nextSync(({ heads }) => String(heads) === String(Automerge.getHeads(doc)))
  await sleep(3_000)
  t.strictSame(await (await RawPeer.join(t, `${ws}/?token=${await sign()}`)).heads(id), Automerge.getHeads(doc))
  t.strictSame(await peer.heads(newDocumentId()), [], 'open past the first token’s end')
})

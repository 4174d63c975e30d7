import t, { type Test } from 'tap'
import { Worker } from 'node:worker_threads'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../lib/automerge/change.ts'
import { SyncSessions, type Answer, type SyncSession, type SyncSessionsOptions } from '../../../lib/automerge/sync-sessions.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { silent } from '../../../lib/log.ts'
import { FLAGS, decodeSyncMessage, encodeSyncMessage, type SyncMessage } from '../../../lib/sync/sync-codec.ts'
import { leb, random } from '../../fuzz.ts'
import { until } from '../../helper.ts'
import { contentsOf, seal } from './changes.ts'

type Doc = Record<string, unknown>
type Document = Automerge.Doc<Doc>

const id = 'document' as DocumentId
const CYCLES = 2_000
const refused = { code: 'RELAY_SYNC_INVALID' }

const start = (t: Test, options: Partial<SyncSessionsOptions> = {}): SyncSessions => {
  const sessions = new SyncSessions({ log: silent, ...options })
  t.teardown(() => sessions.close())
  return sessions
}

/** For tests that need none of their own: a thread takes a second to start. */
const shared = start(t)

const workers: Worker[] = []
process.on('worker', worker => { workers.push(worker) })

const from = (values: Doc, actor?: string): Document => Automerge.from<Doc>(values, actor)
const set = (doc: Document, key: string, value: unknown): Document => Automerge.change(doc, d => { d[key] = value })
const heads = (doc: Document): Automerge.Heads => Automerge.getHeads(doc)
const since = (doc: Document, before: Document): Uint8Array[] => Automerge.getChanges(before, doc)
const values = (doc: Document): unknown => Automerge.toJS(doc)

/** A sync message that only carries changes. */
const carrying = (changes: Uint8Array[], fields: Partial<SyncMessage> = {}): Uint8Array =>
  encodeSyncMessage({ version: 1, heads: [], need: [], have: [], changes, ...fields })

/** What a session's owner does: it stores the changes it is told of, and has those of others. */
class Owner {
  readonly chunks: Uint8Array[]
  readonly session: SyncSession
  readonly known = new Set<string>()
  lost = 0

  constructor (sessions: SyncSessions, ...chunks: Uint8Array[]) {
    this.chunks = chunks
    for (const change of chunks.length === 0 ? [] : Automerge.getAllChanges(this.load())) this.known.add(readChange(change).hash)
    this.session = sessions.open(id, async () => this.chunks, () => { this.lost++ })
  }

  receive (peer: string, message: Uint8Array): Promise<Answer> { return this.#keep(this.session.receive(peer, message)) }
  generate (peer: string): Promise<Answer> { return this.#keep(this.session.generate(peer)) }

  update (changes: Uint8Array[]): void {
    this.#store(changes)
    this.session.update(changes)
  }

  load (): Document { return Automerge.load<Doc>(Buffer.concat(this.chunks)) }

  async #keep (pending: Promise<Answer>): Promise<Answer> {
    const answer = await pending
    for (const change of answer.changes) {
      const { hash, deps } = readChange(change)
      if (this.known.has(hash)) throw new Error('told of a change that the document had')
      if (!deps.every(dep => this.known.has(dep))) throw new Error('told of a change before those it depends on')
      this.known.add(hash)
    }
    this.#store(answer.changes)
    return answer
  }

  #store (changes: Uint8Array[]): void {
    for (const change of changes) this.known.add(readChange(change).hash)
    this.chunks.push(...changes)
  }
}

/** A peer with Automerge's own sync. */
class Peer {
  readonly name: string
  doc: Document
  state: Automerge.SyncState
  /** Before version 2 there were no flags. */
  isOld = false

  constructor (name: string, doc: Document, state = Automerge.initSyncState()) {
    this.name = name
    this.doc = Automerge.clone(doc)
    this.state = state
  }

  set (key: string, value: unknown): void { this.doc = set(this.doc, key, value) }

  say (): Uint8Array | null {
    const [state, message] = Automerge.generateSyncMessage(this.doc, this.state)
    this.state = state
    return message !== null && this.isOld ? message.subarray(0, -3) : message
  }

  hear (message: Uint8Array | null): void {
    if (message === null) return
    const [doc, state] = Automerge.receiveSyncMessage(this.doc, this.state, message)
    this.doc = doc
    this.state = state
  }

  /** One message each. @returns whether anything was said */
  async exchange (owner: Owner): Promise<Answer | null> {
    const message = this.say()
    if (message === null) return null
    const answer = await owner.receive(this.name, message)
    this.hear(answer.reply)
    return answer
  }

  /** Talks until nobody has anything to say, the session first. */
  async sync (owner: Owner): Promise<Answer> {
    let last = await owner.generate(this.name)
    this.hear(last.reply)
    for (let answer: Answer | null; (answer = await this.exchange(owner)) !== null;) last = answer
    return last
  }
}

t.test('two peers that have diverged converge', async t => {
  const base = from({ base: 1 })
  const owner = new Owner(shared, Automerge.save(base))
  const [a, b] = [new Peer('a', base), new Peer('b', base)]
  a.set('a', 1)
  b.set('b', 2)
  await a.sync(owner)
  t.match(await b.sync(owner), { inSync: true, changes: [], held: false })
  t.match(await a.sync(owner), { inSync: true, heads: heads(b.doc), theirHeads: heads(b.doc), updates: 0 })
  t.strictSame(values(a.doc), { base: 1, a: 1, b: 2 })
  t.strictSame(values(owner.load()), values(a.doc))
})

t.test('a document that is new to one side', async t => {
  const owner = new Owner(shared)
  const peer = new Peer('a', from({ a: 1 }))
  t.match(await owner.generate('a'), { heads: [], theirHeads: null, inSync: false })
  t.equal((await peer.sync(owner)).inSync, true)
  t.strictSame(values(owner.load()), { a: 1 })
  owner.session.close()
  const other = new Peer('b', Automerge.init())
  t.match(await other.sync(new Owner(shared, ...owner.chunks)), { inSync: true, updates: 0 })
  t.strictSame(values(other.doc), { a: 1 })
})

t.test('peers, updates and edits in any order', async t => {
  const below = random(5)
  const base = from({ base: 1 })
  const owner = new Owner(shared, Automerge.save(base))
  const peers = ['a', 'b', 'c', 'd'].map(name => new Peer(name, base))
  let elsewhere = Automerge.clone(base)
  let updates = 0
  for (let round = 0; round < 200; round++) {
    const peer = peers[below(peers.length)]!
    for (let n = below(4); n > 0; n--) peer.set(`key ${below(20)}`, round)
    if (below(4) === 0) {
      const before = Automerge.clone(elsewhere)
      elsewhere = set(elsewhere, 'elsewhere', round)
      owner.update(since(elsewhere, before))
      updates++
    }
    const answer = await peer.exchange(owner)
    if (answer !== null) t.equal(answer.updates, updates)
    if (below(20) === 0) { // it connects anew
      owner.session.leave(peer.name)
      peer.state = Automerge.initSyncState()
    }
  }
  for (let talking = true; talking;) {
    talking = false
    for (const peer of peers) {
      const { changes, reply } = await peer.sync(owner)
      talking ||= changes.length > 0 || reply !== null
    }
  }
  for (const peer of peers) t.match(await owner.generate(peer.name), { inSync: true, reply: null, heads: heads(peer.doc), updates })
  t.strictSame(heads(owner.load()), heads(peers[0]!.doc))
  t.equal(owner.lost, 0)
})

t.test('a peer with a sync state from another time', async t => {
  const first = from({ a: 1 })
  const peer = new Peer('a', first)
  let owner = new Owner(shared, Automerge.save(first))
  await peer.sync(owner)
  const early = peer.state
  peer.set('b', 2)
  await peer.sync(owner)
  const late = peer.state
  const persisted = (state: Automerge.SyncState) => Automerge.decodeSyncState(Automerge.encodeSyncState(state))
  const reopen = (...chunks: Uint8Array[]) => {
    owner.session.close()
    owner = new Owner(shared, ...chunks)
  }
  for (const [name, state, doc, chunks] of [
    ['older', early, peer.doc, owner.chunks],
    ['newer than its document', late, first, owner.chunks],
    ['newer than what is stored', late, peer.doc, [Automerge.save(first)]],
    ['with nothing stored', late, peer.doc, []],
    ['with nothing of its own', late, Automerge.init<Doc>(), owner.chunks]
  ] as const) {
    reopen(...chunks)
    const back = new Peer('a', doc, persisted(state))
    back.set('c', name)
    t.equal((await back.sync(owner)).inSync, true, name)
    t.strictSame(values(back.doc), { a: 1, b: 2, c: name })
    t.strictSame(heads(owner.load()), heads(back.doc))
  }
})

t.test('a peer that knows version 1 only', async t => {
  let base = from({ base: 1 })
  for (let n = 0; n < 30; n++) base = set(base, `n${n}`, n)
  const owner = new Owner(shared, Automerge.save(base))
  const peer = new Peer('old', Automerge.init())
  peer.isOld = true
  peer.set('own', 1)
  let last: Answer | null = null
  for (let answer: Answer | null; (answer = await peer.exchange(owner)) !== null; last = answer) {
    if (answer.reply !== null) t.equal(decodeSyncMessage(answer.reply).version, 1)
  }
  t.match(last, { inSync: true })
  t.strictSame(heads(owner.load()), heads(peer.doc))
  t.equal(owner.known.size, 32)
})

t.test('hundreds of heads', async t => {
  const base = from({ base: 1 })
  const forks = Array.from({ length: 600 }, (_, n) => set(Automerge.clone(base), `n${n}`, n))
  const owner = new Owner(shared, Automerge.save(base), ...forks.slice(0, 300).flatMap(fork => since(fork, base)))
  const [theirs] = Automerge.applyChanges(base, forks.slice(300).flatMap(fork => since(fork, base)))
  const peer = new Peer('a', theirs)
  t.equal((await peer.sync(owner)).inSync, true)
  t.equal(heads(peer.doc).length, 600)
  t.strictSame(heads(owner.load()), heads(peer.doc))
})

t.test('changes in any order are held until they can be applied', async t => {
  const base = from({ base: 1 })
  let doc = Automerge.clone(base)
  for (let n = 0; n < 10; n++) doc = set(doc, `n${n}`, n)
  const changes = since(doc, base)
  const owner = new Owner(shared, Automerge.save(base))
  for (const change of changes.slice(1).reverse()) t.match(await owner.receive('a', carrying([change])), { changes: [], held: true, heads: heads(base) })
  t.match(await owner.generate('b'), { changes: [], held: false }, 'nothing of b is held')
  const answer = await owner.receive('a', carrying([changes[0]!]))
  t.match(answer, { held: false, heads: heads(doc) })
  t.strictSame(answer.changes, changes)

  const other = new Owner(shared, Automerge.save(base))
  await other.receive('a', carrying([changes[2]!, changes[1]!]))
  other.update([changes[0]!])
  const next = await other.generate('b')
  t.strictSame(next.changes, changes.slice(1, 3), 'what an update lets through is told with the next answer')
  t.match(next, { updates: 1, heads: Automerge.getHeads(other.load()) })
  t.strictSame((await other.generate('a')).changes, [])
})

t.test('changes whose dependencies are missing are held up to a bound', async t => {
  const base = from({ base: 1 })
  let doc = Automerge.clone(base)
  for (let n = 0; n < 6; n++) doc = set(doc, `n${n}`, `${n}`.repeat(200))
  const changes = since(doc, base)
  const owner = new Owner(start(t, { maxHeld: 2.5 * changes[1]!.length }), Automerge.save(base))
  t.match(await owner.receive('a', carrying([changes[1]!, changes[2]!])), { held: true })
  await t.rejects(owner.receive('a', carrying([changes[3]!])), { ...refused, message: /missing/ })
  t.match(await owner.receive('b', carrying([changes[3]!, changes[4]!])), { held: true }, 'another has a share of its own')
  owner.session.leave('a')
  owner.session.leave('b') // too much is held for nobody now, and is forgotten
  t.match(await owner.receive('c', carrying([changes[0]!])), { held: false, changes: [changes[0]!] })
  t.match(await owner.receive('c', carrying(changes)), { held: false, heads: heads(doc) })
})

t.test('a peer that takes no changes, and one that wants them again', async t => {
  const base = from({ base: 1 })
  const owner = new Owner(shared, Automerge.save(base))
  const peer = new Peer('a', Automerge.init(), Automerge.initSyncState({ readOnly: true }))
  peer.set('own', 1)
  const answer = await peer.sync(owner)
  t.strictSame(values(peer.doc), { own: 1 })
  t.strictSame(values(owner.load()), { base: 1, own: 1 })
  t.equal(answer.inSync, false)

  const flags = FLAGS.supportsSyncReset
  const asks = (flags: number) => owner.receive('b', carrying([], { have: [{ lastSync: [], bloom: new Uint8Array(0) }], heads: ['f'.repeat(64)], flags }))
  t.equal(decodeSyncMessage((await asks(flags)).reply!).changes.length, 1)
  t.equal(decodeSyncMessage((await asks(flags)).reply!).changes.length, 0, 'it was sent already')
  t.equal(decodeSyncMessage((await asks(flags | FLAGS.syncReset)).reply!).changes.length, 1)
})

/** Changes of a hostile peer for a document, by what is wrong with them. */
function poisons (doc: Document): Record<string, Uint8Array> {
  const [last] = Automerge.getChangesMetaSince(doc, []).slice(-1)
  const op = { action: 'set', obj: '_root', key: 'evil', value: 1, pred: [] }
  const actor = 'aabbccdd'.repeat(4)
  const base = { actor, seq: 1, startOp: 100, deps: heads(doc), time: 0, message: null, ops: [op] }
  const text = `1@${Automerge.getChangesMetaSince(doc, [])[0]!.actor}`
  const element = (n: number) => `${n}@${text.slice(2)}`
  const mark = { obj: text, insert: true, pred: [] }
  return Object.fromEntries(Object.entries({
    'a gap in the sequence': { ...base, seq: 3 },
    'an actor and sequence number used before': { ...base, actor: last!.actor, seq: 1 },
    'an operation in an object that is not there': { ...base, ops: [{ ...op, obj: `999@${last!.actor}` }] },
    'a predecessor that is not there': { ...base, ops: [{ ...op, pred: [`99@${last!.actor}`] }] },
    'operations counted from the start again': { ...base, startOp: 1 },
    'a mark that ends before it begins': {
      ...base,
      ops: [{ ...mark, action: 'markBegin', elemId: element(6), name: 'bold', value: true, expand: true }, { ...mark, action: 'markEnd', elemId: element(3), expand: true }]
    }
  }).map(([name, change]) => [name, Automerge.encodeChange(change as never)]))
}

t.test('a message that cannot be applied costs its sender alone', async t => {
  const base = from({ text: 'hello world' })
  const [owner, other] = [new Owner(shared, Automerge.save(base)), new Owner(shared, Automerge.save(base))]
  const [honest, elsewhere] = [new Peer('honest', base), new Peer('honest', base)]
  await honest.sync(owner)
  await elsewhere.sync(other)
  const before = workers.length
  let n = 0
  for (const [name, poison] of Object.entries(poisons(base))) {
    honest.set('n', n)
    elsewhere.set('n', n++)
    const good = set(Automerge.clone(base), 'good', n)
    const results = await Promise.allSettled([
      owner.receive('hostile', carrying([...since(good, base), poison])),
      honest.exchange(owner),
      elsewhere.exchange(other)
    ])
    t.match(results[0], { status: 'rejected', reason: refused }, name)
    t.strictSame(results.slice(1).map(({ status }) => status), ['fulfilled', 'fulfilled'])
    t.notOk(owner.known.has(readChange(poison).hash))
    t.notOk(owner.known.has(readChange(since(good, base)[0]!).hash), 'nothing else of the message is taken')
    t.strictSame(values(Automerge.load(Automerge.save(owner.load()))), values(honest.doc))
  }
  t.match(await honest.sync(owner), { inSync: true, heads: heads(owner.load()) })
  t.equal(workers.length, before, 'the thread lives on')
  t.equal(owner.lost, 0)
})

t.test('a message of which Automerge leaves something out is refused', async t => {
  const base = from({ base: 1 })
  const owner = new Owner(shared, Automerge.save(base))
  const good = set(Automerge.clone(base), 'good', 1)
  const document = Automerge.save(set(from({ other: 1 }), 'more', 'x'.repeat(300)))
  const contents = contentsOf(document)
  contents[contents.length - 20]! ^= 1
  const broken = {
    'a change of which no operations can be read': seal(1, Buffer.from([0, 1, 0xaa, 1, 1, 0, 0, 0, 1, 0x42, 2, 1, 1])),
    'a document with a wrong checksum': Buffer.concat([document.subarray(0, 4), Buffer.alloc(4), document.subarray(8)]),
    'a document that does not match its heads': seal(0, contents)
  }
  for (const [name, chunk] of Object.entries(broken)) {
    for (const changes of [[chunk], [chunk, ...since(good, base)], [...since(good, base), chunk]]) {
      await t.rejects(owner.receive('hostile', carrying([Buffer.concat(changes)], { version: 2 })), refused, name)
    }
  }
  t.match(await owner.receive('honest', carrying([Buffer.concat([document, ...since(good, base)])], { version: 2 })), { held: false })
  t.equal(owner.known.size, 4)
})

t.test('a change that is held and cannot be applied later is dropped, not its dependency', async t => {
  const base = from({ text: 'hello world' })
  const missing = set(Automerge.clone(base), 'missing', 1)
  const owner = new Owner(shared, Automerge.save(base))
  let waiting = set(Automerge.clone(missing), 'first', 1)
  const first = since(waiting, missing)
  waiting = set(waiting, 'second', 2)
  const second = since(waiting, missing).slice(1)
  const third = new Peer('third', waiting)
  t.match(await owner.receive('third', carrying(second)), { held: true })
  for (const poison of Object.values(poisons(missing))) t.match(await owner.receive('hostile', carrying([poison])), { held: true })
  const answer = await owner.receive('honest', carrying(since(missing, base)))
  t.strictSame(answer.changes, since(missing, base))
  await until(() => owner.lost > 0)
  t.match(await owner.generate('hostile'), { held: false })
  await third.sync(owner)
  t.strictSame(heads(owner.load()), heads(third.doc), 'what was held for others is asked for again')
  t.ok(owner.known.has(readChange(first[0]!).hash))
})

/** A change of as many operations, in a few bytes: runs of them. */
function large (operations: number): Uint8Array {
  const run = leb(operations)
  if (run.at(-1)! >= 0x40) run.push(run.pop()! | 0x80, 0) // the number is signed
  const columns = [[0x15, ...run, 1, 0x6b], [0x34, ...leb(operations)], [0x42, ...run, 1], [0x56, ...run, 0], [0x70, ...run, 0]]
  const specifications = columns.flatMap(([specification, ...data]) => [specification!, data.length])
  return seal(1, Buffer.from([0, 1, 0xaa, 1, 1, 0, 0, 0, columns.length, ...specifications, ...columns.flatMap(([, ...data]) => data)]))
}

t.test('a message that ends the thread, or on which it hangs, costs its sender alone', async t => {
  const sessions = start(t, { callTimeout: 3_000 })
  const base = from({ base: 1 })
  const [owner, other, third] = [0, 1, 2].map(() => new Owner(sessions, Automerge.save(base))) as [Owner, Owner, Owner]
  const [a, b] = [new Peer('a', base), new Peer('b', base)]
  await a.sync(owner)
  await b.sync(other)
  const held = set(set(Automerge.clone(base), 'first', 1), 'second', 2)
  for (const [n, kills] of [true, false].entries()) {
    const before = workers.length
    a.set('n', n)
    b.set('n', n)
    t.match(await owner.receive('c', carrying(since(held, base).slice(1))), { held: true })
    const pending = Promise.allSettled([
      owner.receive('hostile', carrying([large(4_000_000)])),
      a.exchange(owner),
      b.exchange(other),
      third.generate('c')
    ])
    if (kills) await workers.at(-1)!.terminate()
    const results = await pending
    t.strictSame(results.map(({ status }) => status), ['rejected', 'fulfilled', 'fulfilled', 'fulfilled'])
    t.match(results[0], { reason: { ...refused, message: kills ? /ended/ : /not done after 3000 ms/ } })
    t.equal(workers.length, before + 1, 'there is another thread')
    t.strictSame([owner.lost, other.lost, third.lost], [n + 1, n + 1, n + 1])
    t.equal((await a.sync(owner)).inSync, true)
    t.equal((await b.sync(other)).inSync, true)
    t.match(decodeSyncMessage((await owner.generate('c')).reply!), { heads: [] }, 'who sent what was held is asked to send again')
    t.strictSame(heads(owner.load()), heads(a.doc))
    t.strictSame(heads(other.load()), heads(b.doc))
  }
  t.equal(sessions.threads, 1)
})

t.test('a document that cannot be opened', async t => {
  const errors: string[] = []
  const sessions = start(t, { log: { ...silent, error: (_fields, message) => { errors.push(message) } } })
  const cannot = { code: 'RELAY_DOCUMENT_INVALID', message: /cannot be opened/ }
  const saved = Automerge.save(from({ text: 'a' }))
  for (const bad of [Buffer.from('hello'), saved.subarray(0, -3), Buffer.concat([saved, Buffer.from('more')])]) {
    const damaged = sessions.open(id, async () => [bad])
    await t.rejects(damaged.generate('a'), cannot)
    await t.rejects(damaged.receive('a', carrying([])), cannot)
  }
  const unread = sessions.open(id, async () => { throw new Error('no disk') })
  await t.rejects(unread.generate('a'), { ...cannot, message: /no disk/ })
  const { session } = new Owner(sessions, saved)
  session.update(Object.values(poisons(Automerge.load(saved))).slice(0, 1))
  await t.rejects(session.generate('a'), cannot)
  t.equal(errors.length, 5)
  t.strictSame([sessions.size, sessions.threads], [0, 1])
  const orphan = Automerge.getAllChanges(set(set(from({ a: 1 }), 'b', 2), 'c', 3)).slice(2)
  t.match(await sessions.open(id, async () => orphan).generate('a'), { heads: [] }, 'stored changes may lack what they depend on')
})

t.test('what is under way when a session closes', async t => {
  const sessions = start(t)
  const owner = new Owner(sessions, Automerge.save(from({ a: 1 })))
  const early = owner.generate('a')
  owner.session.close()
  await t.rejects(early, { code: 'RELAY_CLOSING' })
  await t.rejects(owner.generate('a'), { code: 'RELAY_CLOSING' })
  owner.session.update([])
  owner.session.leave('a')
  owner.session.close()
  const next = new Owner(sessions, ...owner.chunks)
  await next.generate('a')
  const late = next.generate('a')
  const closing = sessions.close()
  await t.rejects(late, { code: 'RELAY_CLOSING' })
  await closing
  t.strictSame([sessions.size, sessions.threads, sessions.backlog], [0, 0, 0])
})

t.test('the thread ends without sessions, and takes no new ones when it is large', async t => {
  const base = from({ a: 1 })
  const sessions = start(t, { idleTimeout: 50, maxMemory: 64 * 2 ** 20 })
  const owner = new Owner(sessions, Automerge.save(base))
  t.equal(sessions.threads, 0)
  await owner.generate('a')
  t.equal(sessions.threads, 1)
  owner.session.close()
  await until(() => sessions.threads === 0)

  const first = new Owner(sessions, Automerge.save(base))
  await first.receive('a', carrying([large(500_000)]))
  const second = new Owner(sessions, Automerge.save(base))
  await second.generate('a')
  t.equal(sessions.threads, 2, 'the first has grown')
  t.equal((await first.generate('a')).heads.length, 2)
  first.session.close()
  t.equal(sessions.threads, 1)
  t.equal((await second.generate('a')).heads.length, 1)
})

t.test('sessions leave nothing behind', async t => {
  const sessions = start(t)
  const base = from({ text: 'x'.repeat(2_000) })
  const chunks = [Automerge.save(base)]
  const message = new Peer('a', set(Automerge.clone(base), 'b', 2)).say()!
  const changes = since(set(Automerge.clone(base), 'c', 3), base)
  const [poison] = Object.values(poisons(base))
  const cycle = async (): Promise<void> => {
    const session = sessions.open(id, async () => chunks)
    const results = await Promise.allSettled([
      session.receive('a', message),
      session.receive('b', carrying([poison!])),
      session.receive('c', carrying(changes)),
      session.generate('d')
    ])
    session.close()
    if (results.map(({ status }) => status[0]).join('') !== 'frff') throw new Error(JSON.stringify(results))
  }
  const sizes: number[] = []
  for (let n = 0; n < CYCLES; n++) {
    await cycle()
    if (n % (CYCLES / 10) === 0) sizes.push(sessions.memory)
  }
  t.comment(`MiB after each tenth of ${CYCLES} sessions: ${sizes.map(size => Math.round(size / 2 ** 20))}`)
  t.ok(Math.max(...sizes.slice(5)) < Math.max(...sizes.slice(0, 5)) + 4 * 2 ** 20)
  t.equal(sessions.threads, 1)
})

import t from 'tap'
import { Worker } from 'node:worker_threads'
import * as Automerge from '@automerge/automerge'
import { readChange } from '../../../../lib/automerge/format/change.ts'
import { silent } from '../../../../lib/log.ts'
import { decodeSyncMessage } from '../../../../lib/wire/sync-message.ts'
import { leb } from '../../../fuzz.ts'
import { until } from '../../../helper.ts'
import { contentsOf, seal } from '../changes.ts'
import { Owner, Peer, carrying, from, heads, id, set, since, start, values, type Document } from './sync-owner.ts'

const CYCLES = 2_000
const refused = { code: 'RELAY_SYNC_INVALID' }

/** For tests that need none of their own: a thread takes a second to start. */
const shared = start(t)

const workers: Worker[] = []
process.on('worker', worker => { workers.push(worker) })

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
      ops: [{ ...mark, action: 'markBegin', elemId: element(6), name: 'bold', value: true, expand: true }, {
        ...mark, action: 'markEnd', elemId: element(3), expand: true
      }]
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
    await honest.sync(owner) // one message may not be enough: of a hundred changes a Bloom filter takes one for known
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
  t.match(await owner.receive('honest', carrying([Buffer.concat([document, ...since(good, base)])], { version: 2 })), {
    held: false
  })
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
  for (const poison of Object.values(poisons(missing))) {
    t.match(await owner.receive('hostile', carrying([poison])), { held: true })
  }
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
  const columns = [
    [0x15, ...run, 1, 0x6b], [0x34, ...leb(operations)], [0x42, ...run, 1], [0x56, ...run, 0], [0x70, ...run, 0]
  ]
  const specifications = columns.flatMap(([specification, ...data]) => [specification!, data.length])
  return seal(1, Buffer.from([
    0, 1, 0xaa, 1, 1, 0, 0, 0, columns.length, ...specifications, ...columns.flatMap(([, ...data]) => data)
  ]))
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
    t.match(
      decodeSyncMessage((await owner.generate('c')).reply!),
      { heads: [] },
      'who sent what was held is asked to send again'
    )
    t.strictSame(heads(owner.load()), heads(a.doc))
    t.strictSame(heads(other.load()), heads(b.doc))
  }
  t.equal(sessions.threads, 1)
})

t.test('a document that cannot be opened', async t => {
  const errors: string[] = []
  const sessions = start(t, { log: { ...silent, error: (_fields, message) => { errors.push(message) } } })
  const cannot = { code: 'RELAY_DOCUMENT_DAMAGED', message: /cannot be opened/ }
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
  t.match(
    await sessions.open(id, async () => orphan).generate('a'),
    { heads: [] },
    'stored changes may lack what they depend on'
  )
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

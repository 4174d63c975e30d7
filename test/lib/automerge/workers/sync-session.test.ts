import t from 'tap'
import * as Automerge from '@automerge/automerge'
import type { SessionAnswer } from '../../../../lib/automerge/workers/sync-sessions.ts'
import { FLAGS, decodeSyncMessage } from '../../../../lib/wire/sync-message.ts'
import { random } from '../../../fuzz.ts'
import { Owner, Peer, carrying, from, heads, set, since, start, values, type Doc } from './sync-owner.ts'

/** A thread takes a second to start. */
const shared = start(t)

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
  for (const peer of peers) {
    t.match(await owner.generate(peer.name), { inSync: true, reply: null, heads: heads(peer.doc), updates })
  }
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
  let last: SessionAnswer | null = null
  for (let answer: SessionAnswer | null; (answer = await peer.exchange(owner)) !== null; last = answer) {
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
  for (const change of changes.slice(1).reverse()) {
    t.match(await owner.receive('a', carrying([change])), { changes: [], held: true, heads: heads(base) })
  }
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
  await t.rejects(owner.receive('a', carrying([changes[3]!])), { code: 'RELAY_SYNC_INVALID', message: /missing/ })
  t.match(
    await owner.receive('b', carrying([changes[3]!, changes[4]!])), { held: true }, 'another has a share of its own'
  )
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
  const asks = (flags: number) => owner.receive('b', carrying([], {
    have: [{ lastSync: [], bloom: new Uint8Array(0) }], heads: ['f'.repeat(64)], flags
  }))
  t.equal(decodeSyncMessage((await asks(flags)).reply!).changes.length, 1)
  t.equal(decodeSyncMessage((await asks(flags)).reply!).changes.length, 0, 'it was sent already')
  t.equal(decodeSyncMessage((await asks(flags | FLAGS.syncReset)).reply!).changes.length, 1)
})

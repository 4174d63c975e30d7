import t, { type Test } from 'tap'
import * as Automerge from '@automerge/automerge'
import { cbor } from '@automerge/automerge-repo'
import { AutomergePool } from '../../../../lib/automerge/workers/pool.ts'
import { SyncSessions } from '../../../../lib/automerge/workers/sync-sessions.ts'
import type { DocumentId } from '../../../../lib/ids.ts'
import { Limits } from '../../../../lib/limits/limits.ts'
import { silent } from '../../../../lib/log.ts'
import { parseOptions } from '../../../../lib/options.ts'
import type { DocumentContext } from '../../../../lib/sync/context.ts'
import { LiveDocument } from '../../../../lib/sync/document/live-document.ts'
import { openHistory, readSmall } from '../../../../lib/sync/document/open-history.ts'
import { PeerConnection, type ConnectionEvents, type ConnectionReports } from '../../../../lib/sync/peers/connection.ts'
import { ALL_RIGHTS } from '../../../../lib/sync/peers/grant.ts'
import { Quotas } from '../../../../lib/sync/peers/quotas.ts'
import { Protocol1 } from '../../../../lib/sync/protocol/protocol-1.ts'
import { until } from '../../../helper.ts'
import { hold } from '../../storage/disk.ts'
import { Original, holds, open, type Fields } from '../../storage/stored.ts'

const nothing = (): void => {}

/** A document of which some is stored, open in memory, and what it told the engine. */
async function openLive (t: Test, original: Original) {
  const { documents } = await open(t)
  const automerge = new AutomergePool()
  const sessions = new SyncSessions({ log: silent, callTimeout: 10_000 })
  const limits = new Limits(parseOptions({}).limits, silent)
  t.teardown(async () => {
    await sessions.close()
    await automerge.close()
    limits.close()
  })
  await documents.append(original.id, original.saved)
  const told = { changed: 0, failed: [] as unknown[] }
  const context: DocumentContext = {
    documents,
    automerge,
    sessions,
    forward: 'stored',
    quotas: new Quotas(limits),
    meter: {
      messageIn: nothing,
      messageOut: nothing,
      syncLatency: nothing,
      refused: nothing,
      fallback: nothing,
      withheld: nothing
    },
    log: silent,
    readDocument: async chunk => readSmall(chunk) ?? await automerge.read(chunk),
    read: async id => await openHistory(id, context),
    schedule: nothing,
    lag: nothing,
    changed: document => {
      told.changed++
      setImmediate(() => { document.flush() })
    },
    failing: (_id, _peer, error) => { told.failed.push(error) },
    withhold: nothing,
    failed: (_document, error) => { told.failed.push(error) }
  }
  const document = new LiveDocument(original.id, await openHistory(original.id, context), context)
  t.teardown(() => { document.close() })
  return { document, documents, told }
}

/** A peer of it that syncs as Automerge does, without a network. */
function join (document: LiveDocument): { doc: () => Automerge.Doc<Fields> } {
  let [doc, state] = [Automerge.init<Fields>(), Automerge.initSyncState()]
  const say = (type: string): void => {
    const [next, data] = Automerge.generateSyncMessage(doc, state)
    state = next
    if (data !== null) {
      peer.receive(cbor.encode({ type, senderId: 'peer', targetId: 'relay', documentId: document.id, data }))
    }
  }
  const hear = (bytes: Uint8Array): void => {
    const { type, data } = cbor.decode(bytes) as { type: string, data: Uint8Array }
    if (type !== 'sync') return
    ;[doc, state] = Automerge.receiveSyncMessage(doc, state, data)
    say('sync')
  }
  const events: ConnectionEvents = {
    followed: () => new Set<DocumentId>(),
    joined: nothing,
    frame: (peer, frame) => {
      if ('data' in frame && frame.type !== 'ephemeral') {
        document.receive(peer, peer.protocol.read(frame), ALL_RIGHTS)
      }
    },
    unfollowed: nothing,
    reassessed: nothing,
    gone: nothing
  }
  const reports: ConnectionReports = {
    received: nothing,
    sent: nothing,
    refused: (_, error) => { throw error },
    denied: nothing
  }
  const transport = {
    backlog: 0,
    send (heads: readonly Uint8Array[], tail: Uint8Array) {
      for (const head of heads) {
        setImmediate(hear, new Uint8Array(Buffer.concat([head, tail])))
      }
    },
    close: nothing
  }
  const self = { peerId: 'relay', metadata: {}, protocols: [new Protocol1('relay')] as [Protocol1] }
  const limits = { maxBacklog: 1e6, handshakeTimeout: 10_000 }
  const peer = new PeerConnection('peer', transport, { self, limits, events, reports })
  peer.receive(cbor.encode({ type: 'join', senderId: 'peer', supportedProtocolVersions: ['1'] }))
  say('request')
  return { doc: () => doc }
}

/** Changes of one author, each as a chunk. */
const changesOf = (original: Original, ...all: Fields[]): Uint8Array[] => all.map(fields => original.change(fields))

t.test('what others have stored is durable at once, passed on, and not stored again', async t => {
  const original = new Original()
  const { document, documents, told } = await openLive(t, original)
  const peer = join(document)
  await until(() => Automerge.hasHeads(peer.doc(), original.heads))
  const changes = Buffer.concat(changesOf(original, { a: 1 }, { b: 2 }))
  t.equal(await document.learn(changes), true)
  t.strictSame(document.durable, { version: 2, heads: original.heads })
  t.equal(told.changed, 1)
  await until(() => Automerge.hasHeads(peer.doc(), original.heads))
  t.match(peer.doc(), { a: 1, b: 2 })
  t.equal(await document.learn(changes), true, 'it may come twice')
  t.strictSame([document.durable.version, told.changed], [2, 1])
  t.notOk(holds(await documents.chunks(original.id), original.heads), 'it is others’ to store')
  t.strictSame(told.failed, [])
})

t.test('it is durable after the document’s own changes that are on their way, and nothing durable is ' +
  'taken back', async t => {
  const original = new Original()
  const { document, told } = await openLive(t, original)
  const [own, foreign, later] = changesOf(original, { own: 1 }, { foreign: 1 }, { own: 2 })
  const { held, release } = await hold(t, 'handle.write')
  const applying = document.apply([own!])
  await until(() => held() === 1)
  t.equal(await document.learn(foreign!), true)
  const applyingLater = document.apply([later!])
  await until(() => document.history.version === 3)
  t.equal(document.durable.version, 0)
  t.equal(told.changed, 0)
  release()
  await applying
  t.ok(document.durable.version >= 1)
  await applyingLater
  await new Promise(resolve => setImmediate(resolve))
  t.strictSame(document.durable, { version: 3, heads: original.heads })
})

t.test('what depends on what is missing is not taken; what came before it is, and the rest when it ' +
  'has come', async t => {
  const original = new Original()
  const { document, told } = await openLive(t, original)
  const [first, second, third] = changesOf(original, { n: 1 }, { n: 2 }, { n: 3 })
  t.equal(await document.learn(Buffer.concat([first!, third!])), false)
  t.equal(document.durable.version, 1)
  t.equal(await document.learn(third!), false)
  t.equal(told.changed, 1)
  t.equal(await document.learn(Buffer.concat([second!, third!])), true)
  t.strictSame(document.durable, { version: 3, heads: original.heads })
  t.equal(await document.learn(original.saved), false, 'a whole document is not a change')
})

t.test('another change of the same number by the same author is none that is known', async t => {
  const original = new Original()
  const { document } = await openLive(t, original)
  const other = Automerge.clone(original.doc, { actor: Automerge.getActorId(original.doc) })
  t.equal(await document.learn(original.change({ mine: 1 })), true)
  const twin = Automerge.getLastLocalChange(Automerge.change(other, doc => { doc['theirs'] = 1 }))!
  t.equal(await document.learn(twin), false)
  t.strictSame(document.durable.heads, original.heads)
})

t.test('what must not be passed on is not: the same checks as for a peer’s', async t => {
  const original = new Original()
  const { document } = await openLive(t, original)
  const elsewhere = Automerge.change(Automerge.clone(original.doc), doc => { doc['list'] = ['a'] })
  const decoded = Automerge.decodeChange(Automerge.getLastLocalChange(elsewhere)!)
  const miscounted = Automerge.encodeChange({ ...decoded, startOp: 1 })
  await t.rejects(document.learn(miscounted), { code: 'RELAY_SYNC_INVALID' })
  t.strictSame(document.durable.heads, original.heads)
})

t.test('while something has the document to itself it waits', async t => {
  const original = new Original()
  const { document } = await openLive(t, original)
  const { held, release } = await hold(t, 'handle.write')
  const merging = document.merge(original.change({ merged: 1 }), true)
  const learning = document.learn(original.change({ foreign: 1 }))
  await until(() => held() === 1)
  t.equal(document.durable.version, 0)
  release()
  await merging
  t.equal(await learning, true)
  t.strictSame(document.durable.heads, original.heads)
})

t.test('of a deleted document there is nothing to learn', async t => {
  const original = new Original()
  const { document, told } = await openLive(t, original)
  await document.remove()
  t.equal(await document.learn(original.change({ a: 1 })), true)
  t.equal(told.changed, 0)
})

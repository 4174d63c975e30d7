import t from 'tap'
import { once } from 'node:events'
import WebSocket from 'ws'
import * as Automerge from '@automerge/automerge'
import { encodeCbor } from '../../../lib/wire/cbor-encode.ts'
import { client, idOf, serve, until } from './server.ts'

interface Doc { [key: string]: number }

/** What a hostile peer says after it joined: a sync message with changes of its own making. */
async function attack (
  url: string, documentId: string, heads: Automerge.Heads, changes: Uint8Array[], first: boolean
): Promise<number> {
  const socket = new WebSocket(url)
  await once(socket, 'open')
  const message = (changes: Uint8Array[], heads: Automerge.Heads) =>
    ({
      type: 'sync',
      senderId: 'hostile',
      targetId: 'x',
      documentId,
      data: Automerge.encodeSyncMessage({ heads, need: [], have: [], changes } as never)
    })
  socket.send(encodeCbor({ type: 'join', senderId: 'hostile', supportedProtocolVersions: ['1'] }))
  if (!first) {
    socket.send(encodeCbor(message([], heads)))
    await once(socket, 'message')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  socket.send(encodeCbor(message(changes, heads)))
  const [code] = await once(socket, 'close')
  return code
}

t.test('a change that Automerge cannot apply ends its sender’s connection and nothing else', async t => {
  const { url, engine, seen } = await serve(t)
  const [a, b] = [client(t, url), client(t, url)]
  const ours = a.repo.create<Doc>({ n: 0 })
  await until(() => seen.latencies.length > 0)
  const theirs = await b.repo.find<Doc>(ours.url)
  const [last] = Automerge.getChangesMetaSince(ours.doc(), [])
  const op = { action: 'set', obj: '_root', key: 'evil', value: 1, pred: [] }
  const base = { deps: Automerge.getHeads(ours.doc()), time: 0, message: null, ops: [op] }
  const actor = 'aabbccdd'.repeat(4)
  const poisons = {
    'a gap in the sequence': { ...base, actor, seq: 3, startOp: 10 },
    'an actor and sequence number used before': { ...base, actor: last!.actor, seq: 1, startOp: 10 },
    'an operation in an object that is not there': {
      ...base, actor, seq: 1, startOp: 10, ops: [{ ...op, obj: `999@${last!.actor}` }]
    },
    'operations counted from the start again': { ...base, actor, seq: 1, startOp: 1 }
  }
  let n = 0
  for (const [name, poison] of Object.entries(poisons)) {
    const change = Automerge.encodeChange(poison as never)
    for (const first of [true, false]) {
      const code = await Promise.race([
        attack(url, idOf(ours), base.deps, [change], first),
        new Promise(resolve => setTimeout(resolve, 3_000, 'kept'))
      ])
      if (!first) t.equal(code, 1007, name)
      n++
      ours.change(d => { d['n'] = n })
      theirs.change(d => { d['m'] = n })
      await until(() => theirs.doc()['n'] === n && ours.doc()['m'] === n)
    }
  }
  const heads = Automerge.getHeads(ours.doc())
  await until(async () => Automerge.hasHeads(Automerge.load((await engine.snapshot(idOf(ours)))!), heads))
  t.notOk('evil' in Automerge.load<Doc>((await engine.snapshot(idOf(ours)))!))
})

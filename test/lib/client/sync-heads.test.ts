import * as Automerge from '@automerge/automerge'
import t from 'tap'
import { syncHeads } from '../../../lib/client/sync-heads.ts'
import { random } from '../../fuzz.ts'

t.test('the heads of what Automerge writes', async t => {
  let doc = Automerge.from<Record<string, number>>({ a: 1 })
  for (const writers of [0, 1, 3, 130]) { // 130: a count of two bytes
    const write = (n: number) => Automerge.change(Automerge.clone(doc), copy => { copy[`key ${n}`] = n })
    for (const copy of Array.from({ length: writers }, (_, n) => write(n))) doc = Automerge.merge(doc, copy)
    const [, message] = Automerge.generateSyncMessage(doc, Automerge.initSyncState())
    t.strictSame(syncHeads(message!)?.sort(), Automerge.getHeads(doc).sort())
  }
})

t.test('what is no sync message has none, and nothing makes it throw', async t => {
  const below = random(1)
  const [, message] = Automerge.generateSyncMessage(Automerge.from({ a: 1 }), Automerge.initSyncState())
  t.equal(syncHeads(Buffer.alloc(0)), undefined)
  t.equal(syncHeads(Buffer.from('text')), undefined)
  t.equal(syncHeads(message!.subarray(0, 20)), undefined, 'cut short')
  t.equal(syncHeads(Buffer.of(0x42, ...Array(20).fill(0xff))), undefined, 'a count without an end')
  for (let n = 0; n < 1_000; n++) {
    const bytes = Buffer.from(Array.from({ length: below(80) }, () => below(256)))
    if (bytes.length > 0) bytes[0] = 0x42 + below(2)
    t.ok((syncHeads(bytes)?.length ?? 0) <= 2)
  }
})

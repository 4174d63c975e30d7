import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { encodeSyncMessage } from '../../../lib/sync/sync-codec.ts'
import { checkSyncMessage } from '../../../lib/sync/sync-message.ts'
import { leb } from '../../fuzz.ts'
import { contentsOf, sampleDocument, seal } from '../automerge/changes.ts'

const document = sampleDocument()
const changes = Automerge.getAllChanges(document)
const carrying = (...changes: Uint8Array[]) => encodeSyncMessage({ version: 2, heads: Automerge.getHeads(document), need: [], have: [], changes })
const invalid = (message: RegExp) => ({ code: 'RELAY_SYNC_INVALID', message })

t.test('tells whether a message carries changes', async t => {
  t.equal(checkSyncMessage(carrying()), false)
  t.equal(checkSyncMessage(carrying(...changes)), true)
  t.equal(checkSyncMessage(carrying(Buffer.concat(changes))), true, 'joined')
  t.equal(checkSyncMessage(carrying(Automerge.save(document))), true, 'a document')
})

t.test('refuses a message when anything in it cannot be read', async t => {
  const [first, last] = [Buffer.from(changes[0]!), changes.at(-1)!]
  t.throws(() => checkSyncMessage(carrying(first).subarray(0, -1)), invalid(/cut short in a change/))
  t.throws(() => checkSyncMessage(carrying(first, last.subarray(0, -1))), invalid(/cut short/))
  const saved = Buffer.from(Automerge.save(document))
  saved[saved.length >> 1]! ^= 1
  t.throws(() => checkSyncMessage(carrying(saved)), invalid(/checksum/i))
  const wrong = Buffer.from(first)
  wrong[4]! ^= 1
  t.throws(() => checkSyncMessage(carrying(last, wrong)), invalid(/the checksum is wrong/))
  const contents = contentsOf(changes[1]!)
  contents[contents.length - 1]! ^= 0xff
  t.throws(() => checkSyncMessage(carrying(seal(1, contents))), invalid(/./), 'operations that are none')
})

t.test('refuses a change of a trillion operations in a few bytes, and at once', async t => {
  const runs = [[0x15, 1, 97], [0x34], [0x42, 1], [0x56, 0], [0x70, 0]].map(([column, ...value]) =>
    ({ column: column!, data: [...leb(2 ** 40), ...column === 0x15 ? [1, 97] : value] }))
  const columns = runs.flatMap(({ column, data }) => [...leb(column), data.length])
  const bomb = seal(1, Uint8Array.from([0, 1, 7, 1, 1, 0, 0, 0, runs.length, ...columns, ...runs.flatMap(({ data }) => data)]))
  t.throws(() => checkSyncMessage(carrying(bomb)), invalid(/more than 4194304 operations/))
})

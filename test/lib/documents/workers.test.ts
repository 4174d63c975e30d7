import t from 'tap'
import * as Automerge from '@automerge/automerge'
import { DocumentWorkers } from '../../../lib/documents/workers.ts'
import { JSON_PATCH, MERGE_PATCH } from '../../../lib/documents/types.ts'
import { until } from '../../client.ts'

const BUSY = { code: 'RELAY_DOCUMENT_BUSY' }
const small = Automerge.from({ a: 1 })
const chunks = [Automerge.save(small)]
const heads = Automerge.getHeads(small)
const actor = 'ab'.repeat(16)
const view = { a: 1 }
const read = (bytes: Uint8Array): unknown => JSON.parse(Buffer.from(bytes).toString())

t.test('what takes too long is given up, and others are not kept waiting for it', async t => {
  const workers = new DocumentWorkers({ threads: 1, timeout: 4_000 })
  t.teardown(async () => { await workers.close() })
  await until(async () => await workers.run('view', chunks, heads).then(() => true, () => false))
  const patch = Buffer.from(JSON.stringify(Array.from({ length: 400_000 }, (_, n) => ({
    op: 'add', path: '/list/0', value: n
  }))))
  const list = [Automerge.save(Automerge.from({ list: [] as number[] }))]
  await t.rejects(workers.run('edit', list, { type: JSON_PATCH, patch, actor }), BUSY)
  // in another thread, which takes its time to start
  await until(async () => await workers.run('view', chunks, heads).then(bytes => {
    t.strictSame(read(bytes), view)
    return true
  }, () => false))
})

t.test('no more wait than may', async t => {
  const workers = new DocumentWorkers({ threads: 1, jobs: 3 })
  t.teardown(async () => { await workers.close() })
  const results = await Promise.allSettled(Array.from({ length: 10 }, () => workers.run('view', chunks, heads)))
  const refused = results.filter(result => result.status === 'rejected')
  t.equal(refused.length, 7)
  for (const { reason } of refused) t.match(reason, BUSY)
  t.strictSame(read(await workers.run('view', chunks, heads)), view)
})

t.test('a document that cannot be loaded is the storage’s failure; others go on', async t => {
  const workers = new DocumentWorkers({ threads: 1 })
  t.teardown(async () => { await workers.close() })
  await t.rejects(workers.run('view', [new Uint8Array([1, 2, 3])], heads), { code: 'RELAY_STORAGE_FAILED' })
  await t.rejects(workers.run('view', [], heads), { code: 'RELAY_HEADS_UNKNOWN' })
  const { change, heads: base } = await workers.run('edit', chunks, {
    type: MERGE_PATCH, patch: Buffer.from('{"b":2}'), actor, message: 'why'
  })
  t.strictSame(base, heads)
  t.match(Automerge.decodeChange(change!), { actor, message: 'why', deps: heads, seq: 1 })
})

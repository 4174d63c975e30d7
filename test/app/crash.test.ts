import path from 'node:path'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import t, { type Test } from 'tap'
import type { DocumentId } from '../../lib/ids.ts'
import { silent } from '../../lib/log.ts'
import type { ChunkStore } from '../../lib/storage/chunk-store.ts'
import { AdapterChunks } from '../../lib/storage/chunks/adapter-chunks.ts'
import { ObjectChunks } from '../../lib/storage/chunks/object-chunks.ts'
import { Damage } from '../../lib/storage/damage.ts'
import { DocumentChunks } from '../../lib/storage/document-chunks.ts'
import { newBucket, noS3 } from '../lib/storage/chunks/chunk-stores.ts'
import { scratch } from '../scratch.ts'
import { fight } from './crash/fight.ts'
import { live, type Elsewhere } from './crash/life.ts'

t.test('killed again and again while it is written to, the relay has all that it acknowledged', async t => {
  const figures = await live({ folder: await scratch(t), seed: 7, rounds: 4, writing: 1_000 })
  t.strictSame(figures.problems, [])
  t.equal(figures.lost, 0)
  t.ok(figures.acknowledged > 0, `${figures.acknowledged} changes acknowledged`)
})

/** A host's relay on a storage adapter. */
const adapterRelay = (adapter: string, place: string, store: ChunkStore): Elsewhere => ({
  program: path.join(import.meta.dirname, 'crash/adapter-relay.js'),
  flags: ['--adapter', adapter, '--place', place],
  async chunks (id: DocumentId) {
    const { whole, found } = new Damage(silent).sift(id, await new DocumentChunks(store).load(id))
    return [...whole.map(({ data }) => data), ...found]
  }
})

/** What a process that is killed leaves is what was handed to the system: a power cut is not shown by this. */
async function killed (t: Test, seed: number, elsewhere: Elsewhere): Promise<void> {
  const figures = await live({ folder: await scratch(t), seed, rounds: 3, writing: 600, elsewhere })
  t.strictSame(figures.problems, [])
  t.equal(figures.lost, 0)
  t.ok(figures.acknowledged > 0, `${figures.acknowledged} changes acknowledged`)
}

t.test('the same of a host’s relay with its documents in S3', { skip: noS3 }, async t => {
  const bucket = await newBucket(t)
  await killed(t, 5, adapterRelay('s3', bucket.name, new ObjectChunks(bucket.open())))
})

t.test('the same with automerge-repo’s nodefs adapter, which may leave a chunk cut short that the journal ' +
  'still has', async t => {
  const place = await scratch(t)
  await killed(t, 11, adapterRelay('nodefs', place, new AdapterChunks(new NodeFSStorageAdapter(place))))
})

t.test('of relays that fight for one folder, one has it at a time, and nothing is lost', async t => {
  const figures = await fight({ folder: await scratch(t), seed: 3, rounds: 3, writing: 200 })
  t.strictSame(figures.problems, [])
  t.equal(figures.lost, 0)
  t.ok(figures.refused >= 6, `${figures.refused} relays refused`)
  t.ok(figures.acknowledged > 0, `${figures.acknowledged} changes acknowledged`)
})

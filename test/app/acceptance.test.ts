import t from 'tap'
import { setTimeout as sleep } from 'node:timers/promises'
import * as Automerge from '@automerge/automerge'
import { Repo } from '@automerge/automerge-repo'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import type { DocumentId } from '../../lib/ids.ts'
import { client, start, until } from '../helper.ts'
import { chunkStores } from '../lib/storage/chunks/chunk-stores.ts'
import { stock, type Fields } from '../lib/storage/stored.ts'
import { scratch } from '../scratch.ts'
import { Adapter } from './convergence/adapter.ts'
import { ChunkAdapter } from './acceptance/chunk-adapter.ts'
import { runNetworkAdapterTests, runStorageAdapterTests, runSuite } from './acceptance/suite.ts'

/**
 * Asks for documents only when the others, which are made at the same time, can have brought theirs to the relay: the
 * suite gives them 50 ms.
 */
class PatientAdapter extends Adapter {
  readonly #patience = super.whenReady().then(async () => { await sleep(300) })
  override async whenReady (): Promise<void> { await this.#patience }
}

const PEERS_ONLY = 'peers are connected to the relay, not to each other: '

t.test('automerge-repo’s suite for network adapters, three clients at the relay', async t => {
  const { ws } = await start(t)
  const scenarios = await runSuite(t, () => {
    runNetworkAdapterTests(async () => {
      const adapters =
        [1, 2, 3].map(() => new PatientAdapter(ws, 100)) as [PatientAdapter, PatientAdapter, PatientAdapter]
      const teardown = () => { for (const adapter of adapters) adapter.retire() }
      return { adapters, teardown }
    })
  }, {
    'emits a peer-candidate event with proper peer metadata when a peer connects': PEERS_ONLY +
      'it tells its own metadata, and nobody’s to others',
    'should emit disconnect events on disconnect': PEERS_ONLY + 'whom it stays with is not disconnected',
    'should not send messages after disconnect': PEERS_ONLY + 'the scenario waits for the other’s disconnection first'
  })
  t.equal(scenarios, 7)
})

for (const { name, skip, make } of chunkStores) {
  t.test(`automerge-repo’s suite for storage adapters, on chunks in ${name}`, { skip }, async t => {
    const scenarios = await runSuite(t, () => {
      runStorageAdapterTests(async () => {
        const store = (await make(t))()
        await store.open()
        return { adapter: new ChunkAdapter(store) }
      })
    })
    t.equal(scenarios, 11)
  })
}

t.test('the same on its own adapter: what is run is its suite', async t => {
  await runSuite(t, () => {
    runStorageAdapterTests(async () => ({ adapter: new NodeFSStorageAdapter(await scratch(t)) }))
  })
})

t.test('what the relay stored, automerge-repo reads from the folder and adds to, and the relay reads that', async t => {
  const relay = await start(t)
  const handle = client(t, relay.ws).create<Fields>({ a: 1 })
  for (let n = 0; n < 20; n++) handle.change(doc => { doc[`key ${n}`] = n })
  const heads = Automerge.getHeads(handle.doc())
  const other = await client(t, relay.ws).find<Fields>(handle.url)
  await until(() => Automerge.hasHeads(other.doc(), heads))
  await relay.close()
  const id = handle.documentId as string as DocumentId
  t.strictSame(Automerge.getHeads(await stock(relay.storage, id)), heads)

  const repo = new Repo({ storage: new NodeFSStorageAdapter(relay.storage) })
  const stored = await repo.find<Fields>(handle.url)
  stored.change(doc => { doc['added'] = true })
  const created = repo.create<Fields>({ created: true })
  await repo.flush()
  const second = await start(t, { storage: relay.storage })
  const late = client(t, second.ws)
  t.strictSame((await late.find<Fields>(handle.url)).doc(), stored.doc())
  t.strictSame((await late.find<Fields>(created.url)).doc(), { created: true })
})

import { createHash } from 'node:crypto'
import path from 'node:path'
import { CesWorkers } from '../../../../lib/ces/workers/workers.ts'
import { silent } from '../../../../lib/log.ts'
import { openNode } from '../../../../lib/nodes/open-node.ts'
import { Holdings } from '../../../../lib/vault/holdings.ts'
import { ClusterKey } from '../../../../lib/vault/keys/cluster-key.ts'
import { writerOf } from '../../../../lib/vault/manifest/writer.ts'
import { Vault } from '../../../../lib/vault/vault.ts'

export const PLACES = ['one', 'two', 'three']

/** A vault of three folders below a folder, with a key that is always the same. */
export async function openLocalVault (folder: string): Promise<{ vault: Vault, close: () => Promise<void> }> {
  const key = new ClusterKey(createHash('sha256').update('a key of tests').digest())
  const vault = new Vault({
    nodes: PLACES.map(id => openNode({ id, kind: 'folder', path: path.join(folder, id) }, { reserve: 0 })),
    workers: new CesWorkers({ threads: 1 }),
    holdings: new Holdings(silent),
    geometry: { k: 2, m: 1, survive: 1, segment: 64 * 1024 },
    grace: 24 * 3_600_000,
    log: silent,
    key: () => key,
    writer: async () => await writerOf(key.derive('writer'))
  })
  await vault.refresh()
  return { vault, close: async () => { await vault.close() } }
}

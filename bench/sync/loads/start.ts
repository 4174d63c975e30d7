import * as Automerge from '@automerge/automerge'
import type { Figures } from '../meter.ts'
import { cpuOf, memoryOf } from '../process-tree.ts'
import { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { sleep } from '../statistics.ts'
import { storedDocuments } from '../stored.ts'
import { anyServer, type Load } from './load.ts'

const DOCUMENTS = 100_000
const SETTLE = 3_000 // ms

async function stored (): Promise<string> {
  const doc = Automerge.from({ title: 'A document' })
  return await storedDocuments(DOCUMENTS, Automerge.save(doc), Automerge.getHeads(doc)[0]!)
}

async function run (kind: ServerKind, empty: Server): Promise<Figures> {
  const nothing = { 'ready, nothing stored, ms': empty.startup, 'memory 3 s later, MB': await memoryAfter(empty) }
  if (!kind.isAutomerge) return nothing
  const server = await Server.start(kind, { folder: await stored() })
  const memory = await memoryAfter(server)
  const figures = {
    ...nothing,
    'ready, 100,000 stored, ms': server.startup,
    'memory 3 s later, 100,000 stored, MB': memory,
    'CPU until then, 100,000 stored, s': cpuOf(server.pid)
  }
  await server.stop()
  return figures
}

async function memoryAfter ({ pid }: Server): Promise<number> {
  await sleep(SETTLE)
  return memoryOf(pid) / 1000
}

/** Ready is who answers a peer's handshake; the folder's files are in the system's cache after the first round. */
export const start: Load = {
  name: 'start',
  title: 'from its start until it answers',
  suits: anyServer,
  prepare: async () => { await stored() },
  run
}

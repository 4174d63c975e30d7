import { Meter, credibility, type Figures } from '../meter.ts'
import { memoryOf } from '../process-tree.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { sleep } from '../statistics.ts'
import { withDocuments, type Load } from './load.ts'

const DOCUMENTS = 1000
const SOCKETS = 10
const SETTLE = 3_000 // ms until memory is looked at
const IDLE_TIMEOUT = 1_000
const IDLE = 10_000

async function run ({ protocol }: ServerKind, server: Server): Promise<Figures> {
  const documents = protocol.smallDocuments(DOCUMENTS)
  const history = protocol.history({ seed: 1, edits: 0, writers: 1, blob: 0 })
  const clients = Array.from({ length: SOCKETS }, () => protocol.client(server.url, history))
  for (const client of clients) await client.open()
  await sleep(SETTLE)
  const meter = new Meter(server)
  await Promise.all(documents.map(async (document, n) => { await clients[n % SOCKETS]!.push(document) }))
  const use = meter.use()
  await sleep(SETTLE)
  const open = memoryOf(server.pid)
  const { server: cpu } = meter.use()
  for (const { wire } of clients) wire.close()
  await sleep(IDLE)
  return {
    'documents/s': DOCUMENTS / use.seconds,
    'CPU per document, us': cpu / DOCUMENTS * 1e6,
    'memory per open document, kB': (open - use.memoryBefore) / DOCUMENTS,
    'memory per document once idle, kB': (memoryOf(server.pid) - use.memoryBefore) / DOCUMENTS,
    errors: clients.reduce((sum, { faults }) => sum + faults, 0),
    ...credibility(use)
  }
}

/** Memory is the process's: what a collector has not come to yet is in it. */
export const documents: Load = {
  name: 'documents',
  title: '1,000 small documents pushed over 10 sockets, all at once; then the sockets close',
  suits: withDocuments,
  start: { relay: ['--idle-timeout', String(IDLE_TIMEOUT)] },
  run
}

import { Meter, credibility, type Figures } from '../meter.ts'
import { Room } from '../room.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { percentile, sleep } from '../statistics.ts'
import { withDocuments, type Load } from './load.ts'

const SEED = 5000
const CLIENTS = 50
const AFTER = 1_500 // ms for what the server does when all have it

async function run (kind: ServerKind, server: Server): Promise<Figures> {
  const room = await Room.open(kind, server, { clients: 1, edits: 0, seed: SEED })
  const clients = Array.from({ length: CLIENTS }, room.newcomer)
  await Promise.all(clients.map(async client => { await client.open() }))
  const meter = new Meter(server, clients.map(({ wire }) => wire))
  const times = await Promise.all(clients.map(async client => {
    const begun = performance.now()
    await client.join()
    return performance.now() - begun
  }))
  const { seconds } = meter.use()
  await sleep(AFTER)
  const use = meter.use()
  return {
    'CPU per join, ms': use.server / CLIENTS * 1000,
    'bytes per join': use.bytesIn / CLIENTS,
    'joined p50, ms': percentile(times, 0.5),
    'joined, the last, ms': percentile(times, 1),
    'joins/s': CLIENTS / seconds,
    errors: clients.reduce((sum, { faults }) => sum + faults, 0),
    ...credibility(use)
  }
}

export const join: Load = {
  name: 'join', title: '50 empty clients ask at once for a document of 5,000 changes', suits: withDocuments, run
}

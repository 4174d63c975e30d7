import { Meter, credibility, type Figures } from '../meter.ts'
import { memoryOf } from '../process-tree.ts'
import { Room } from '../room.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { percentile, sleep } from '../statistics.ts'
import { anyServer, type Load } from './load.ts'

const CLIENTS = 12
const EDITS = 400
const BLOB = 100_000 // bytes
const PER_SECOND = 40
const SETTLE = 15_000 // ms
const CATCH_UP = 20_000

async function run (kind: ServerKind, server: Server): Promise<Figures> {
  const room = await Room.open(kind, server, { clients: CLIENTS, edits: EDITS, blob: BLOB })
  const slow = room.clients.at(-1)!
  let last = -1
  room.stall(slow)
  const meter = new Meter(server, room.wires)
  await room.type(EDITS, PER_SECOND)
  await room.settle(SETTLE)
  const use = meter.use()
  const held = memoryOf(server.pid)
  const count = (edit: number): void => { last = edit }
  slow.onEdit = count
  slow.wire.resume()
  const resumed = performance.now()
  const isBehind = (): boolean => last < EDITS - 1
  while (isBehind() && slow.wire.closed === undefined && performance.now() - resumed < CATCH_UP) await sleep(10)
  const wasCutOff = slow.wire.closed !== undefined
  if (wasCutOff) {
    const again = room.newcomer() // as a real client comes back
    again.onEdit = count
    await again.open()
    await again.join(CATCH_UP).catch(() => {}) // then it has not caught up
  }
  return {
    'memory grew by, MB': (held - use.memoryBefore) / 1000,
    'others’ delivered p50, ms': percentile(room.deliveries, 0.5),
    'others’ delivered p99, ms': percentile(room.deliveries, 0.99),
    'server, cores': use.server / use.seconds,
    'caught up': Number(!isBehind()),
    'caught up after, ms': isBehind() ? undefined : performance.now() - resumed,
    'was cut off first': Number(wasCutOff),
    ...room.troubles(),
    ...credibility(use)
  }
}

export const slow: Load = {
  name: 'slow',
  title: 'one of 12 peers stops reading while 40 MB are sent to each, then reads again, or comes back when it was ' +
    'cut off',
  suits: anyServer,
  run
}

import { Meter, credibility, type Figures } from '../meter.ts'
import { Room } from '../room.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { sleep } from '../statistics.ts'
import { anyServer, type Load } from './load.ts'

const PEOPLE = 500
const SECONDS = 10
const REST = 2_000 // ms for what is on its way at the end

async function run (kind: ServerKind, server: Server): Promise<Figures> {
  const { clients, wires } = await Room.open(kind, server, { clients: PEOPLE, edits: 0 })
  for (const wire of wires) wire.ignore()
  const meter = new Meter(server, wires)
  const start = performance.now()
  for (let n = 0; n < PEOPLE * SECONDS; n++) {
    const due = start + n * 1000 / PEOPLE
    while (performance.now() < due) await sleep(due - performance.now())
    clients[n % PEOPLE]!.signal()
  }
  await sleep(REST)
  const use = meter.use()
  const perDelivery = use.server / use.messagesIn
  return {
    'server, cores': use.server / use.seconds,
    'CPU per delivery, us': perDelivery * 1e6,
    'cores that all of it would take': perDelivery * PEOPLE * (PEOPLE - 1),
    'deliveries/s': use.messagesIn / use.seconds,
    'came within 2 s, %': Math.min(100, use.messagesIn / (PEOPLE * SECONDS * (PEOPLE - 1)) * 100),
    ...credibility(use)
  }
}

/** What came is counted and not looked at: nothing else is said meanwhile. */
export const presence: Load = {
  name: 'presence',
  title: '500 people in one document, each says where its cursor is once a second',
  suits: anyServer,
  run
}

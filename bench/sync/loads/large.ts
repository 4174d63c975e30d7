import { Meter, credibility, type Figures } from '../meter.ts'
import { Room } from '../room.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { percentile, sleep } from '../statistics.ts'
import { typedText } from '../synthetic.ts'
import { withAutomerge, type Load } from './load.ts'

const OPERATIONS = 260_000
const EDITS = 20
const PER_SECOND = 2
const OTHERS_PER_SECOND = 50
const SECONDS = EDITS / PER_SECOND
const SETTLE = 10_000 // ms

async function run (kind: ServerKind, server: Server): Promise<Figures> {
  const { document } = await typedText(OPERATIONS)
  const large = await Room.open(kind, server, { clients: 3, edits: EDITS, document })
  const small = await Room.open(kind, server, { clients: 2, edits: 2 * SECONDS * OTHERS_PER_SECOND })
  await sleep(SETTLE) // the server may still be storing it

  const alone = new Meter(server)
  await small.type(SECONDS * OTHERS_PER_SECOND, OTHERS_PER_SECOND)
  await small.settle(SETTLE)
  const before = alone.use()
  const quiet = percentile(small.acknowledgements, 1)
  small.reset()

  const meter = new Meter(server)
  await Promise.all([large.type(EDITS, PER_SECOND), small.type(SECONDS * OTHERS_PER_SECOND, OTHERS_PER_SECOND)])
  await Promise.all([large.settle(SETTLE), small.settle(SETTLE)])
  const use = meter.use()
  return {
    'CPU per change, ms':
      Math.max(0, use.server - before.server / before.seconds * use.seconds) / large.acknowledged * 1000,
    'acknowledged p50, ms': percentile(large.acknowledgements, 0.5),
    'others’ worst acknowledgement, ms': percentile(small.acknowledgements, 1),
    'the same before, ms': quiet,
    'server’s memory, MB': use.memoryAfter / 1000,
    ...large.troubles(),
    ...credibility(use)
  }
}

export const large: Load = {
  name: 'large',
  title: 'a text of 260,000 operations (a synthetic trace, a character a change) with 3 peers, 2 changes a second; ' +
    '50 a second on a small one beside it',
  suits: withAutomerge,
  prepare: async () => { await typedText(OPERATIONS) },
  run
}

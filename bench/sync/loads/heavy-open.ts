import { AutomergeClient } from '../clients/automerge.ts'
import { History } from '../clients/automerge-history.ts'
import { Meter, credibility, type Figures } from '../meter.ts'
import { Room } from '../room.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { percentile, sleep } from '../statistics.ts'
import { store } from '../stored.ts'
import { longList } from '../synthetic.ts'
import { withAutomerge, type Load } from './load.ts'

const CHANGES = 1_000_000
const PER_SECOND = 50
const SECONDS = 10
const OPENED_WITHIN = 120_000 // ms
const SETTLE = 15_000

async function run (kind: ServerKind, server: Server): Promise<Figures> {
  const { document, head } = await longList(CHANGES)
  const heavy = new History(1, document, head, [], [])
  await store(server.folder, heavy.id, document, head)
  const room = await Room.open(kind, server, { clients: 5, edits: PER_SECOND * (SECONDS + OPENED_WITHIN / 1000) })
  await room.type(PER_SECOND * SECONDS, PER_SECOND)
  await room.settle(SETTLE)
  const quiet = room.latencies()
  room.reset()

  const opener = new AutomergeClient(server.url, heavy)
  await opener.open()
  const meter = new Meter(server, [opener.wire])
  const typing = new AbortController()
  const opened = opener.join(OPENED_WITHIN).then(() => meter.use()).finally(() => { typing.abort() })
  opened.catch(() => {}) // is awaited below
  for (let second = 0; second < SECONDS || !typing.signal.aborted; second++) await room.type(PER_SECOND, PER_SECOND)
  await room.settle(SETTLE)
  const { seconds, bytesIn } = await opened
  await sleep(SETTLE / 10)
  const use = meter.use()
  return {
    'others’ delivered p99, ms': percentile(room.deliveries, 0.99),
    'others’ delivered at worst, ms': percentile(room.deliveries, 1),
    'p99 before, ms': quiet['delivered p99, ms'],
    'opened after, s': seconds,
    'MB sent': bytesIn / 1e6,
    'CPU, s': use.server,
    'memory grew by, MB': (use.memoryAfter - use.memoryBefore) / 1000,
    ...room.troubles(),
    ...credibility(use)
  }
}

export const heavyOpen: Load = {
  name: 'heavy-open',
  title: 'a stored document of 1,000,000 changes (synthetic) is opened while 5 peers of a small one see 50 edits a ' +
    'second',
  suits: withAutomerge,
  prepare: async () => { await longList(CHANGES) },
  run
}

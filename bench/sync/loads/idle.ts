import { Meter, credibility, type Figures } from '../meter.ts'
import { memoryOf } from '../process-tree.ts'
import type { Server } from '../server.ts'
import type { ServerKind } from '../servers.ts'
import { inBatches, sleep } from '../statistics.ts'
import { anyServer, type Load } from './load.ts'

const CONNECTIONS = 1000
const AT_ONCE = 50
const SETTLE = 3_000 // ms
const REST = 10_000

async function run ({ protocol }: ServerKind, server: Server): Promise<Figures> {
  const history = protocol.history({ seed: 1, edits: 0, writers: 1, blob: 0 })
  await sleep(SETTLE)
  const meter = new Meter(server)
  const clients = Array.from({ length: CONNECTIONS }, () => protocol.client(server.url, history))
  await inBatches(clients, AT_ONCE, async client => { await client.open() })
  const use = meter.use()
  await sleep(SETTLE)
  const memory = memoryOf(server.pid)
  const idle = new Meter(server)
  await sleep(REST)
  const rest = idle.use()
  return {
    'memory per connection, kB': (memory - use.memoryBefore) / CONNECTIONS,
    'CPU to connect, us': use.server / CONNECTIONS * 1e6,
    'server at rest, cores': rest.server / rest.seconds,
    'memory before, MB': use.memoryBefore / 1000,
    'sockets dropped': clients.filter(({ wire }) => wire.closed !== undefined).length,
    ...credibility(use)
  }
}

export const idle: Load = {
  name: 'idle', title: '1,000 connections that shake hands and say nothing', suits: anyServer, run
}

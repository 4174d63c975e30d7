// An honest pair of clients beside attackers, on the relay and on automerge-repo's own server, in turns:
// npm run build && npm run bench:abuse [-- connections 'large frames' ...] [--seconds 10] [--servers relay,sync-server]
// [--program dist/bin/tonk-relay.js] One client types ten edits a second and the other gets them, first alone and then
// during the attack, which comes from a process of its own. Latencies are from when an edit was due; what has not come
// 20 s after the end is missing. Each attack has a fresh server. Loopback only.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { attacks, type Outcome } from '../test/app/abuse/attacks.ts'
import { memoryOf } from './sync/process-tree.ts'
import { Room } from './sync/room.ts'
import { Server } from './sync/server.ts'
import { install, serverKinds, type ServerKind } from './sync/servers.ts'
import { percentile, sleep } from './sync/statistics.ts'

const ATTACKER = fileURLToPath(new URL('../test/app/abuse/attacker.ts', import.meta.url))
const PER_SECOND = 10
const LATE = 20_000 // ms
const COUNTS: Record<string, number> = {
  connections: 10_000, 'slow handshakes': 2_000, 'large frames': 1_000, 'random bytes': 10_000
}
const UNLIMITED = 10_000_000

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '10' },
    servers: { type: 'string', default: 'relay,sync-server' },
    program: { type: 'string', default: 'dist/bin/tonk-relay.js' }
  }
})
const seconds = Number(values.seconds)
const kinds = serverKinds(path.resolve(values.program)).filter(({ name }) => values.servers.split(',').includes(name))
for (const kind of kinds) install(kind)

const ms = (latencies: number[], part: number): string => percentile(latencies, part)?.toFixed(1) ?? '-'

async function attack (kind: ServerKind, name: string): Promise<Record<string, string>> {
  const server = await Server.start(kind)
  try {
    const room = await Room.open(kind, server, { clients: 2, edits: 4 * seconds * PER_SECOND })
    await room.type(seconds * PER_SECOND, PER_SECOND)
    await room.settle(LATE)
    const quiet = room.deliveries
    const before = memoryOf(server.pid)
    room.reset()

    const attacker = fork(ATTACKER, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    attacker.send({
      name,
      target: { url: server.url, documentId: room.documentId },
      force: { count: COUNTS[name] ?? UNLIMITED, ms: seconds * 1000 }
    })
    const done = once(attacker, 'message').then(([outcome]) => outcome as Outcome)
    await room.type(seconds * PER_SECOND, PER_SECOND)
    const memory = server.failure === undefined ? memoryOf(server.pid) : undefined
    await room.settle(LATE)
    const outcome = await Promise.race([
      done,
      once(attacker, 'exit').then((): Outcome => ({ 'attacker ended': 1 })),
      sleep(LATE).then((): Outcome => ({ 'attacker is still at it': 1 }))
    ])
    attacker.kill()
    const { missing, 'sockets dropped': dropped } = room.troubles()
    return {
      attack: name,
      server: kind.name,
      'quiet p50 / p99, ms': `${ms(quiet, 0.5)} / ${ms(quiet, 0.99)}`,
      'attacked p50 / p99, ms': `${ms(room.deliveries, 0.5)} / ${ms(room.deliveries, 0.99)}`,
      missing: String(missing),
      dropped: String(dropped),
      'memory, MB': memory === undefined ? '-' : `${Math.round(before / 1024)} -> ${Math.round(memory / 1024)}`,
      alive: server.failure === undefined ? 'yes' : 'NO',
      'what came of it': Object.entries(outcome).map(([what, times]) => `${times} ${what}`).join(', ')
    }
  } catch (error) {
    return {
      attack: name,
      server: kind.name,
      alive: server.failure === undefined ? 'yes' : 'NO',
      'what came of it': server.failure ?? (error as Error).message
    }
  } finally {
    await server.stop()
  }
}

const names = positionals.length > 0 ? positionals : Object.keys(attacks)
for (const name of names) {
  for (const kind of kinds) {
    console.log(Object.entries(await attack(kind, name)).map(([key, value]) => `${key}: ${value}`).join(' | '))
  }
}

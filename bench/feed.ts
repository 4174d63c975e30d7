// A replay at full speed into the relay's feed, and into the programs it takes after, one after the other:
//   npm run bench:feed [-- --events 50000] [--program dist/bin/tonk-relay.js]
//   FEED_PEERS='python=/path/run.sh' .ci/redis run npm run bench:feed
// Posts of 2,000 accounts, 45 % of them answers and 10 % quotes; an AppView stand-in with 20 ms; caches are warmed by a
// tenth as many posts before. Everybody gets the variables of the known programs; JETSTREAM_HOSTS and APP_VIEW are on
// loopback, which peers may have to be pointed at. With REDIS_URL what counts is the length of the Redis stream;
// without, only the relay is measured, into SQLite. Loopback, and the servers share the machine: compare within a run
// only.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createClient } from 'redis'
import { StandInAppView } from '../test/lib/feed/appview.ts'
import { Jetstream } from '../test/lib/feed/jetstream.ts'
import { invent, until } from '../test/lib/feed/network.ts'
import { cpuOf, memoryOf } from './sync/process-tree.ts'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '50000' },
    program: { type: 'string', default: 'dist/bin/tonk-relay.js' }
  }
})
const COUNT = Number(values.events)
const ACCOUNTS = 2_000
const POST = 'app.bsky.feed.post'
const POLL = 20 // ms
const redisUrl = process.env['REDIS_URL']

const did = (n: number): string => `did:plc:${String(n % ACCOUNTS).padStart(24, 'a')}`
const strong = (n: number): object => ({
  uri: `at://${did(n * 7)}/${POST}/p${n % ACCOUNTS}`, cid: 'bafyreigj6urjlhd4vudcccvzt7qtf32dkoytasvyn6cjwqwo4d2zbmjmce'
})

/** A post of about 765 bytes with its event. */
function post (n: number) {
  const record = {
    $type: POST,
    createdAt: '2026-11-28T10:57:42.757Z',
    langs: ['en'],
    text: `number ${n} `.padEnd(280, 'lorem ipsum '),
    ...n % 100 < 45 && { reply: { parent: strong(n), root: strong(n + 1) } },
    ...n % 10 === 9 && { embed: { $type: 'app.bsky.embed.record', record: strong(n + 2) } }
  }
  return invent({ did: did(n), collection: POST, record })
}

interface Candidate { name: string, command: string, args: string[], env: Record<string, string> }

async function measure ({ name, command, args, env }: Candidate): Promise<object> {
  const closers: Array<() => unknown> = []
  const server = await Jetstream.start()
  const appView = await StandInAppView.start({ teardown: close => { closers.push(close as () => unknown) } })
  appView.fault = () => ({ delay: 20 })
  const folder = await mkdtemp(path.join(os.tmpdir(), 'bench-feed-'))
  const stream = `bench-${name}-${process.pid}`
  const redis = redisUrl === undefined ? undefined : await createClient({ url: redisUrl }).connect()
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      ...env,
      JETSTREAM_HOSTS: JSON.stringify([server.url]),
      WANTED_COLLECTIONS: JSON.stringify([POST]),
      APP_VIEW: appView.url,
      RELAY_FEED_APP_VIEW: appView.url,
      STREAM_NAME: stream,
      TRIM_MAXLEN: String(COUNT * 2),
      DB_DIR: folder
    }
  })
  const ended = once(child, 'close')
  let url = ''
  child.stdout!.on('data', text => { url ||= /ready[^"]*(http:\/\/[\d.:]+)/.exec(String(text))?.[1] ?? '' })
  const length = async (): Promise<number> => {
    if (redis !== undefined) return await redis.xLen(stream)
    return (await (await fetch(`${url}/feed/stats`)).json() as { records: { last: number } }).records.last
  }
  const reach = async (count: number): Promise<void> => {
    while (await length() < count) {
      if (child.exitCode !== null) throw new Error(`${name} ended`)
      await sleep(POLL)
    }
  }
  try {
    await until(() => server.readers > 0 && (redis !== undefined || url !== ''))
    const warm = COUNT / 10
    for (let n = 0; n < warm; n++) server.push(post(n))
    await reach(warm)
    const events = Array.from({ length: COUNT }, (_, n) => post(n))
    const [calls, cpu, begun] = [appView.calls.length, cpuOf(child.pid!), performance.now()]
    for (const event of events) server.push(event)
    await reach(warm + COUNT)
    const seconds = (performance.now() - begun) / 1_000
    return {
      name,
      'records/s': Math.round(COUNT / seconds),
      'CPU us/record': Math.round((cpuOf(child.pid!) - cpu) * 1e6 / COUNT),
      'memory MB': Math.round(memoryOf(child.pid!) / 1024),
      'AppView calls': appView.calls.length - calls
    }
  } finally {
    child.kill('SIGTERM')
    await ended
    await redis?.del(stream)
    redis?.destroy()
    await server.close()
    for (const close of closers) await close()
    await rm(folder, { recursive: true, force: true })
  }
}

const relay: Candidate = {
  name: 'relay',
  command: process.execPath,
  args: [path.resolve(values.program), '0'],
  env: { RELAY_FEED: 'true', RELAY_FEED_APP_VIEW_RATE: '100' }
}
const peers = (process.env['FEED_PEERS'] ?? '').split(',').filter(text => text !== '').map((text): Candidate => {
  const [name, ...command] = text.split('=')
  return { name: name!, command: 'sh', args: ['-c', command.join('=')], env: {} }
})
if (peers.length > 0 && redisUrl === undefined) {
  throw new Error('peers are measured by what they add to Redis: REDIS_URL')
}
const results: object[] = []
for (const candidate of [relay, ...peers]) results.push(await measure(candidate))
console.table(results)

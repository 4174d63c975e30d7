import { readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createClient } from 'redis'
import { verifyArchive, verifyRecords } from '../../../lib/feed/archive/verify.ts'
import { eventOf, parseEvent } from '../../../lib/feed/event.ts'
import { firstNumberOf, sealedName } from '../../../lib/feed/store/manifest.ts'
import { Database } from '../../../lib/feed/store/sqlite.ts'
import { FolderObjects } from '../../../lib/objects/folder-objects.ts'
import { random } from '../../fuzz.ts'
import { StandInAppView } from '../../lib/feed/appview.ts'
import { Jetstream, type WireEvent } from '../../lib/feed/jetstream.ts'
import { happen, until } from '../../lib/feed/network.ts'
import { RelayProcess } from '../crash/relay-process.ts'

export interface KillOptions {
  /** Storage of the relay */
  folder: string
  /** How often it is killed */
  rounds: number
  seed: number
  wire: 'v1' | 'v2'
  /** Events a second */
  rate?: number
  /** The executable, `dist/bin/tonk-relay.js` unless another is given */
  program?: string | undefined
  /** A Redis to add records to */
  redis?: string | undefined
}

/** What is where: of events in the records, of posts in the feed documents. */
export interface Account { sent: number, found: number, lost: number, repeats: number }

export interface Kills {
  rounds: number
  records: Account
  documents: Account
  redis: Account | undefined
  /** Came again after the last start, and were recognised */
  recognised: number
  /** Whether each record has a number of its own, without a hole */
  isNumbered: boolean
  /** What somebody wrote into the first feed document before the kills */
  notes: unknown
  /** What is wrong with the sealed files, here and in the archive */
  unsound: string[]
  /** Records in the archive */
  archived: number
  errors: string[]
}

interface Stats {
  position: { timeUs: number } | null
  events: { underWay: number, repeats: number }
  archive: { waiting: number }
  sinks: Array<{ behind: number, 'news.index': string }>
}

const POST = 'app.bsky.feed.post'
export const NOTES = 'ours'

/**
 * Kills a relay with a feed again and again while events come, and cuts its socket in every third round. Files of
 * records are small, so that many of the kills are in the middle of sealing one. At the end every event must be
 * recorded, and every post be in a feed document, once.
 */
export async function kill ({ folder, rounds, seed, wire, rate = 400, program, redis }: KillOptions): Promise<Kills> {
  const below = random(seed)
  const closers: Array<() => unknown> = []
  const server = await Jetstream.start()
  const appView = await StandInAppView.start({ teardown: close => { closers.push(close as () => unknown) } })
  const archive = path.join(folder, 'archive')
  const rules = path.join(folder, 'rules.json')
  await writeFile(rules, JSON.stringify([{ name: 'news' }]))
  const flags = [
    '--feed', '--feed-hosts', server.url, '--feed-wire', wire, '--feed-app-view', appView.url, '--feed-app-view-rate',
    '1000',
    '--feed-rotate-bytes', '262144',
    '--feed-archive-folder', archive, '--feed-documents-file', rules
  ]
  const stream = `kills-${process.pid}-${wire}`
  const env: Record<string, string> = redis === undefined
    ? {}
    : { RELAY_FEED_REDIS_URL: redis, RELAY_FEED_REDIS_STREAM: stream }
  const errors: string[] = []
  let sent: WireEvent[] = []
  const stop = new AbortController()
  const sending = (async () => {
    while (!stop.signal.aborted) {
      for (let n = 0; n < rate / 50; n++) sent.push(happen(server))
      await sleep(20)
    }
  })()
  for (let round = 0; round < rounds; round++) {
    const relay = await RelayProcess.start(folder, { flags, env, program })
    if (round === 0) {
      await until(() => server.readers > 0)
      sent = [] // what happened before the feed was there is nobody's
      await until(async () => (await statsOf(relay)).position !== null)
      await until(async () => await note(relay))
    }
    await sleep(below(1_500))
    if (round % 3 === 1) {
      server.cut()
      await sleep(below(500))
    }
    await relay.end('SIGKILL')
    errors.push(...relay.errors)
  }
  stop.abort()
  await sending
  const relay = await RelayProcess.start(folder, { flags, env, program })
  const last = sent.at(-1)!.time_us
  let stats = await statsOf(relay)
  await until(async () => {
    stats = await statsOf(relay)
    return (stats.position?.timeUs ?? 0) >= last &&
      stats.events.underWay === 0 && stats.sinks.every(({ behind }) => behind === 0) &&
      stats.archive.waiting === 0
  })
  const pages = await pagesOf(relay)
  await relay.end('SIGTERM')
  errors.push(...relay.errors)
  await server.close()
  for (const close of closers) await close()
  const [records, archived] = await Promise.all([
    verifyRecords(path.join(folder, 'feed', 'records')),
    verifyArchive({
      objects: new FolderObjects({ folder: archive }), prefix: 'feed/', scratch: path.join(folder, 'verify')
    })
  ])
  const events = sent.map(event => eventOf(event))
  const { ids, numbers } = await recorded(folder)
  return {
    rounds,
    records: account(events.map(({ id }) => id), ids),
    documents: account(events.filter(({ commit }) => commit?.collection === POST).map(({ uri }) => uri), pages.flatMap(
      ({ items }) => Object.keys(items)
    )),
    redis: redis === undefined ? undefined : account(events.map(({ id }) => id), await added(redis, stream)),
    isNumbered: numbers.sort((a, b) => a - b).every((number, n) => number === n + 1),
    recognised: stats.events.repeats,
    notes: pages[0]?.notes,
    unsound: [...records.problems, ...archived.problems],
    archived: archived.rows,
    errors
  }
}

function account (sent: string[], found: string[]): Account {
  const known = new Set(found)
  return {
    sent: sent.length,
    found: found.length,
    lost: sent.filter(id => !known.has(id)).length,
    repeats: found.length - known.size
  }
}

const statsOf = async ({ url }: RelayProcess): Promise<Stats> =>
  await (await fetch(`${url}/feed/stats`)).json() as Stats

interface Page { url: string, items: Record<string, object>, notes?: unknown }

/** The feed's documents, the oldest first. */
async function pagesOf (relay: RelayProcess): Promise<Page[]> {
  const read = async (url: string): Promise<any> => {
    const response = await fetch(`${relay.url}/api/documents/${url.slice('automerge:'.length)}`)
    return response.ok ? await response.json() : {}
  }
  const { days = {} } =
    await read((await statsOf(relay)).sinks[0]!['news.index']) as { days?: Record<string, Record<string, string>> }
  const urls = Object.keys(days).sort().flatMap(day => Object.values(days[day]!))
  return await Promise.all(urls.map(async url => ({ url, items: {}, ...await read(url) })))
}

/** Writes beside what is in the first document. @returns whether there is one */
async function note (relay: RelayProcess): Promise<boolean> {
  const [page] = await pagesOf(relay)
  if (page === undefined) return false
  const headers = { 'content-type': 'application/merge-patch+json' }
  const { ok } = await fetch(`${relay.url}/api/documents/${page.url.slice('automerge:'.length)}`, {
    method: 'PATCH', headers, body: JSON.stringify({ notes: NOTES })
  })
  return ok
}

/** The identities of all events in a Redis stream, which is deleted. */
async function added (url: string, stream: string): Promise<string[]> {
  const client = await createClient({ url }).connect()
  const entries = await client.xRange(stream, '-', '+')
  await client.del(stream)
  client.destroy()
  return entries!.map(
    ({ message }) => parseEvent(JSON.stringify((JSON.parse(message['record']!) as { event: object }).event)).id
  )
}

/** The identities and numbers of all events that are recorded. */
async function recorded (storage: string): Promise<{ ids: string[], numbers: number[] }> {
  const folder = path.join(storage, 'feed', 'records')
  const names = (await readdir(folder)).filter(name => firstNumberOf(name) !== undefined)
  const ids: string[] = []
  const numbers: number[] = []
  for (const name of names) {
    if (sealedName(name) !== undefined && names.includes(sealedName(name)!)) continue // its sealing was cut short
    const database = new Database(path.join(folder, name), { readOnly: true })
    try {
      for (const { id, message } of database.prepare('SELECT id, message FROM records').all()) {
        ids.push(parseEvent(String(message)).id)
        numbers.push(Number(id))
      }
    } finally {
      database.close()
    }
  }
  return { ids, numbers }
}

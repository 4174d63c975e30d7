import { readdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DocumentId } from '../../../lib/ids.ts'
import { random } from '../../fuzz.ts'
import { stock } from '../../lib/storage/stored.ts'
import { RelayProcess } from '../crash/relay-process.ts'
import { Client, type Comeback } from './client.ts'
import { History } from './history.ts'
import { compare, differences, settle } from './settle.ts'

export interface RunOptions {
  folder: string
  seed: number
  clients: number
  documents: number
  /** ms of disorder before everyone is brought together */
  duration: number
  /** ms it may then take until all have all */
  settleLimit?: number
  program?: string | undefined
  /** ms a document stays in the relay's memory, else as the seed has it */
  idleTimeout?: number
}

export interface Figures {
  steps: Record<string, number>
  changes: number
  /** Of these, changes that a client lost before the relay had said that it has them. */
  excused: number
  documents: number
  /** Clients at the end. */
  clients: number
  /** ms until all had all */
  settled: number | undefined
  problems: string[]
}

const DEFAULT_SETTLE_LIMIT = 30_000
const IDLE_TIMEOUTS = [50, 500, 300_000] // ms
const FOLD_INTERVALS = [20, 300, undefined]
const FLAGS = ['--ping-interval', '1000', '--handshake-timeout', '2000'] // a held connection is noticed in the run
const COMEBACKS: Comeback[] = ['closed', 'killed', 'stale', 'torn']
const LOSSES = ['cut', 'closed', 'held'] as const

/** What may happen next, and how often beside the others. */
const STEPS = {
  edit: 300,
  open: 12,
  create: 6,
  disconnect: 14,
  reconnect: 22,
  'back up': 8,
  restart: 8,
  join: 3,
  twin: 1,
  leave: 3,
  'all gone': 1,
  SIGKILL: 3,
  SIGTERM: 1
}
type Step = keyof typeof STEPS

/**
 * One storage folder, one relay and clients that come, go and edit, as the seed has it; then everyone is brought
 * together. The steps are the same for the same seed, what happens within them in which order is the system's.
 */
export async function run (options: RunOptions): Promise<Figures> {
  const disorder = new Disorder(options)
  try {
    await disorder.begin()
    const until = performance.now() + options.duration
    while (performance.now() < until) await disorder.step()
    return await disorder.end()
  } finally {
    await disorder.stop()
  }
}

class Disorder {
  readonly #options: RunOptions
  readonly #below: (n: number) => number
  readonly #history = new History()
  readonly #clients: Client[] = []
  readonly #figures: Figures = {
    steps: {}, changes: 0, excused: 0, documents: 0, clients: 0, settled: undefined, problems: []
  }

  readonly #idleTimeout: number
  readonly #foldInterval: number | undefined
  #relay: RelayProcess | undefined
  /** The relay's restart that is under way. */
  #restarting: Promise<void> | undefined
  #count = 0

  constructor (options: RunOptions) {
    this.#options = options
    this.#below = random(options.seed)
    this.#idleTimeout = options.idleTimeout ?? IDLE_TIMEOUTS[options.seed % IDLE_TIMEOUTS.length]!
    this.#foldInterval = FOLD_INTERVALS[this.#below(FOLD_INTERVALS.length)]
  }

  async begin (): Promise<void> {
    await this.#startRelay()
    for (let n = 0; n < this.#options.clients; n++) await this.#join()
    this.#clients[0]!.create()
    for (const client of this.#clients) client.open(this.#history.documents[0]!)
  }

  async step (): Promise<void> {
    const name = this.#pick()
    this.#figures.steps[name] = (this.#figures.steps[name] ?? 0) + 1
    const client = this.#clients[this.#below(this.#clients.length)]!
    const id = this.#document()
    const choice = this.#below(1000)
    switch (name) {
      case 'edit':
        for (let n = choice % 5; n >= 0; n--) client.edit(choice + n)
        await sleep(choice % 3 === 0 ? 0 : choice % 40)
        break
      case 'open': client.open(id); break
      case 'create': if (this.#history.documents.length < this.#options.documents) client.create(); break
      case 'disconnect': client.disconnect(LOSSES[choice % 3]!); break
      case 'reconnect': for (const [n, each] of this.#clients.entries()) {
        if (each === client || (choice >> n & 1) === 0) each.reconnect()
      } break
      case 'back up': client.backUp(); break
      case 'restart': await client.restart(COMEBACKS[choice % 4]!); break
      case 'join': if (this.#clients.length < this.#options.clients * 2) (await this.#join()).open(id); break
      case 'twin': if (this.#clients.length < this.#options.clients * 2) (await this.#join(client)).open(id); break
      case 'leave': if (this.#clients.length > this.#options.clients && !client.stores) await this.#leave(client); break
      case 'all gone': await this.#allGone(choice); break
      case 'SIGKILL':
      case 'SIGTERM': this.#restarting ??= this.#restartRelay(name, choice % 300); break
    }
  }

  /** Brings everyone together and compares. */
  async end (): Promise<Figures> {
    const [figures, history, clients] = [this.#figures, this.#history, this.#clients]
    await this.#restarting
    await this.#join()
    for (const client of clients) {
      client.reconnect()
      for (const id of history.documents) client.open(id)
    }
    figures.settled = await settle(clients, history, this.#options.settleLimit ?? DEFAULT_SETTLE_LIMIT)
    if (figures.settled === undefined) figures.problems.push(...differences(clients, history))
    for (const id of history.documents) {
      const problem = compare(id, clients.at(-1)!.document(id), history)
      if (problem !== undefined) this.#problem(`${id}, at a client that came last: ${problem}`)
    }
    await this.#endRelay('SIGTERM')
    if (readdirSync(path.join(this.#options.folder, 'journal')).length > 0) {
      this.#problem('a journal is left after a SIGTERM')
    }
    for (const id of history.documents) {
      const stored = await stock(this.#options.folder, id).catch(() => undefined) as Parameters<typeof compare>[1]
      const problem = compare(id, stored, history)
      if (problem !== undefined) this.#problem(`${id}, in the folder: ${problem}`)
    }
    return Object.assign(figures, {
      changes: history.size, excused: history.excused, documents: history.documents.length, clients: clients.length
    })
  }

  /** Lets everything go, however it went. */
  async stop (): Promise<void> {
    for (const client of this.#clients) client.end()
    await this.#restarting
    await this.#relay?.end('SIGKILL')
  }

  #pick (): Step {
    let left = this.#below(Object.values(STEPS).reduce((sum, weight) => sum + weight, 0))
    return Object.entries(STEPS).find(([, weight]) => (left -= weight) < 0)![0] as Step
  }

  #document (): DocumentId { return this.#history.documents[this.#below(this.#history.documents.length)]! }

  #problem (text: string): void { this.#figures.problems.push(text) }

  /** @param twin a client whose peer id it takes too */
  async #join (twin?: Client): Promise<Client> {
    const name = twin === undefined ? `client ${++this.#count}` : `twin ${++this.#count} of ${twin.name}`
    const port = this.#relay === undefined ? undefined : Number(new URL(this.#relay.url).port)
    const client = await Client.start(name, port, this.#history, {
      stores: twin === undefined && this.#count % 3 !== 0, ...twin !== undefined && { peerId: twin.peerId }
    })
    this.#clients.push(client)
    return client
  }

  async #leave (client: Client): Promise<void> {
    await client.restart('killed') // what it had is lost
    client.end()
    this.#clients.splice(this.#clients.indexOf(client), 1)
  }

  /** Everyone is away long enough for the relay to let go of every document. */
  async #allGone (seed: number): Promise<void> {
    for (const client of this.#clients) client.disconnect('cut')
    for (let n = 10; n >= 0; n--) for (const client of this.#clients) client.edit(seed + n)
    await sleep(Math.min(3 * this.#idleTimeout, 1500))
    for (const client of this.#clients) client.reconnect()
  }

  async #startRelay (): Promise<void> {
    const { folder, program } = this.#options
    this.#relay = await RelayProcess.start(folder, {
      program, foldInterval: this.#foldInterval, flags: [...FLAGS, '--idle-timeout', String(this.#idleTimeout)]
    })
    for (const client of this.#clients) client.relayAt(Number(new URL(this.#relay.url).port))
  }

  async #endRelay (signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const relay = this.#relay!
    this.#relay = undefined
    const [code] = await relay.end(signal)
    for (const client of this.#clients) client.relayAt(undefined)
    if (signal === 'SIGTERM' && code !== 0) this.#problem(`exit code ${code} after a SIGTERM`)
    for (const error of relay.errors) this.#problem(`the relay logged ${error}`)
  }

  async #restartRelay (signal: 'SIGKILL' | 'SIGTERM', pause: number): Promise<void> {
    await this.#endRelay(signal)
    await sleep(pause)
    await this.#startRelay()
    this.#restarting = undefined
  }
}

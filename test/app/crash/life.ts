import { once } from 'node:events'
import { existsSync, readdirSync, watch } from 'node:fs'
import path from 'node:path'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo'
import type { DocumentId } from '../../../lib/ids.ts'
import { random } from '../../lib/storage/disk.ts'
import { chunksIn, load, noise } from '../../lib/storage/stored.ts'
import { Ledger } from './ledger.ts'
import { LightPeer, type Fields } from './light-peer.ts'
import { RelayProcess } from './relay-process.ts'
import { RepoWriter } from './repo-writer.ts'

/** What is written in a round. */
export interface Kind {
  /** Documents that all writers share; 0 makes one for each edit. */
  documents: number
  /** Bytes of noise in an edit. */
  bytes: number
  /** Edits of a document that a writer has under way. */
  window: number
  /** ms between folds, where not as the relay does it. */
  foldInterval?: number
  /** Real automerge-repo clients. */
  repo?: boolean
}

const KINDS: Record<string, Kind> = {
  'small edits': { documents: 4, bytes: 0, window: 200 },
  'one in flight': { documents: 4, bytes: 0, window: 0 },
  'a document each': { documents: 0, bytes: 100, window: 0, foldInterval: 100 },
  'large edits': { documents: 12, bytes: 400_000, window: 4 }, // 16 MiB make the relay fold
  'small edits, folded all the time': { documents: 4, bytes: 0, window: 40, foldInterval: 10 },
  'large edits, folded all the time': { documents: 3, bytes: 60_000, window: 2, foldInterval: 50 },
  'automerge-repo clients': { documents: 3, bytes: 20, window: 0, foldInterval: 50, repo: true }
}

const WRITERS = 4

export interface LifeOptions {
  folder: string
  seed: number
  rounds: number
  /** ms that are written in a round at most; half of the rounds end earlier, in a fold. */
  writing: number
  program?: string | undefined
  /** Where documents are, if not in the folder. */
  elsewhere?: Elsewhere | undefined
}

/** A relay whose documents are not in its folder. */
export interface Elsewhere {
  program: string
  flags: string[]
  /** What is stored of a document and whole, read without the relay. */
  chunks: (id: DocumentId) => Promise<Uint8Array[]>
}

export interface Figures {
  rounds: number
  terminated: number
  /** Changes that the relay said it has or passed on, and how many of them were gone after. */
  acknowledged: number
  lost: number
  problems: string[]
  /** Rounds that left something in the journal, a torn end of it, a file half-written. */
  leftJournal: number
  tornEnds: number
  leftTemporary: number
  /** ms */
  restarts: number[]
}

export interface Round {
  ledger: Ledger
  replicas: Map<DocumentId, Array<{ actor: string, doc: Automerge.Doc<Fields> }>>
}

export const newId = (): DocumentId => parseAutomergeUrl(generateAutomergeUrl()).documentId as string as DocumentId

/**
 * One storage folder, one relay killed on it again and again: rounds of writing at full speed that end with a SIGKILL
 * (one in five with a SIGTERM) at a random moment or in a fold; the next relay is asked for every document by a peer
 * that has none, before anyone else is there to bring lost changes back. At the end the folder is read without the
 * relay.
 *
 * A killed process leaves what it handed to the operating system: this shows the order of things (nothing is said
 * before it is written, nothing deleted before it is elsewhere) and not that they are on disk. For that, only a power
 * cut would.
 */
export async function live ({ folder, seed, rounds, writing, program, elsewhere }: LifeOptions): Promise<Figures> {
  const below = random(seed)
  const figures: Figures = {
    rounds,
    terminated: 0,
    acknowledged: 0,
    lost: 0,
    problems: [],
    leftJournal: 0,
    tornEnds: 0,
    leftTemporary: 0,
    restarts: []
  }
  const all = new Ledger()
  const old: DocumentId[] = []
  const leftovers = new Set<string>()
  let last: Round | undefined
  const problem = (n: number, text: string): void => { figures.problems.push(`seed ${seed}, round ${n}: ${text}`) }

  for (let n = 0; n <= rounds; n++) {
    const [name, kind] = Object.entries(KINDS)[below(Object.keys(KINDS).length)]!
    const relay = await RelayProcess.start(folder, { program, foldInterval: kind.foldInterval, ...elsewhere })
    figures.restarts.push(relay.startTime)
    figures.tornEnds += relay.logged('the end of a journal segment was torn')
    if (last !== undefined) await verify(relay, last, figures, text => { problem(n, text) })

    const signal = n === rounds || below(5) === 0 ? 'SIGTERM' : 'SIGKILL'
    if (n < rounds) {
      const ledger = new Ledger()
      const begun = new AbortController()
      const promised = (id: DocumentId, heads: Automerge.Heads): void => {
        if (heads.length > 0) begun.abort()
        ledger.promised(id, heads)
        all.promised(id, heads)
      }
      const ids = Array.from(
        { length: kind.documents },
        () => old.length > 0 && kind.bytes === 0 && below(3) === 0 ? old[below(old.length)]! : newId()
      )
      const round = { relay, kind, ids, promised, below }
      const { replicas, stop } = await (kind.repo === true ? writeWithRepos(round) : writeLight(round))
      if (!begun.signal.aborted) await once(begun.signal, 'abort')
      const inFold = kind.foldInterval !== undefined || kind.bytes > 100_000
      const mayCatchFold = inFold && elsewhere === undefined && below(4) > 0
      await (mayCatchFold ? fileBegun(folder, 1 + below(20), writing * 4) : sleep(below(writing)))
      if (inFold) await sleep(below(8))
      await endWith(relay, signal, text => { problem(n, text) })
      await stop()
      last = { ledger, replicas: replicas() }
      if (kind.bytes === 0) old.push(...ids)
    } else {
      await endWith(relay, signal, text => { problem(n, text) })
    }
    for (const error of relay.errors) problem(n, `${name}: the relay logged ${error}`)
    if (signal === 'SIGTERM') figures.terminated++
    const journal = readdirSync(path.join(folder, 'journal')).length
    if (journal > 0) figures.leftJournal++
    if (journal > 0 && signal === 'SIGTERM') problem(n, 'a journal is left after a SIGTERM')
    const temporary = readdirSync(path.join(folder, 'tmp'))
    if (temporary.some(name => !leftovers.has(name))) figures.leftTemporary++
    for (const name of temporary) leftovers.add(name)
  }

  for (const text of await compareFolder(folder, all, elsewhere?.chunks)) problem(rounds, text)
  return figures
}

/** Reads a folder without a relay. @returns what of all that was promised is not there */
export async function compareFolder (
  folder: string, promised: Ledger, chunks = async (id: DocumentId) => await chunksIn(folder, id)
): Promise<string[]> {
  const problems: string[] = []
  for (const id of promised.documents) {
    try {
      const { lost } = promised.compare(id, load(await chunks(id)), [])
      if (lost > 0) problems.push(`${lost} changes of ${id} are not in the folder`)
    } catch (error) {
      problems.push(`${id} cannot be loaded from the folder: ${error}`)
    }
  }
  return problems
}

async function endWith (
  relay: RelayProcess, signal: 'SIGKILL' | 'SIGTERM', problem: (text: string) => void
): Promise<void> {
  const [code] = await relay.end(signal)
  if (signal === 'SIGTERM' && code !== 0) problem(`exit code ${code} after a SIGTERM`)
}

/** Asks the relay for all that was promised, as a peer that has nothing. */
export async function verify (
  relay: RelayProcess,
  { ledger, replicas }: Round,
  figures: Pick<Figures, 'acknowledged' | 'lost'>,
  problem: (text: string) => void
): Promise<void> {
  const reader = new LightPeer(() => {})
  await reader.connect(relay.url)
  await Promise.all(ledger.documents.map(async id => {
    const { acknowledged, lost } = ledger.compare(id, await reader.fetch(id), replicas.get(id) ?? [])
    figures.acknowledged += acknowledged
    figures.lost += lost
    if (lost > 0) problem(`${lost} of ${acknowledged} changes of ${id} are lost`)
  }))
  await reader.close()
}

export interface Writing {
  relay: RelayProcess
  kind: Kind
  ids: DocumentId[]
  promised: (id: DocumentId, heads: Automerge.Heads) => void
  below: (n: number) => number
}

/** What is being written: what the writers have, to be asked when they have stopped. */
export interface Written { replicas: () => Round['replicas'], stop: () => Promise<void> }

export async function writeLight ({ relay, kind, ids, promised, below }: Writing): Promise<Written> {
  const peers = Array.from({ length: WRITERS }, () => new LightPeer(promised))
  await Promise.all(peers.map(async peer => { await peer.connect(relay.url) }))
  let edits = 0
  const writers = peers.map(async peer => {
    try {
      for (const id of new Set(ids)) await peer.fetch(id)
      while (peer.open) {
        const id = ids.length === 0 ? newId() : ids[below(ids.length)]!
        const some = kind.bytes > 1000 ? 1 : 1 + below(20)
        peer.edit(id, Array.from({ length: some }, () => ({
          [`k${below(30)}`]: ++edits, ...kind.bytes > 0 && { bytes: noise(1 + below(kind.bytes)) }
        })))
        await peer.within(id, kind.window)
        await turn()
      }
    } catch (error) {
      if (peer.open) throw error // else the relay was killed before it had answered
    }
  })
  return {
    async stop () {
      await Promise.all(writers)
      await Promise.all(peers.map(async peer => { await peer.close() }))
    },
    replicas: () =>
      collect(peers.flatMap(({ actor, documents }) => [...documents].map(([id, { doc }]) => ({ id, actor, doc }))))
  }
}

async function writeWithRepos ({ relay, kind, promised, below }: Writing): Promise<Written> {
  const writers = Array.from({ length: WRITERS }, () => new RepoWriter(relay.url, promised))
  const over = new AbortController()
  let edits = 0
  const writing = writers.map(async writer => {
    const ids = Array.from({ length: kind.documents }, () => writer.create())
    while (!over.signal.aborted) {
      writer.edit(ids[below(ids.length)]!, { [`k${below(30)}`]: ++edits })
      await sleep(below(4))
    }
  })
  return {
    async stop () {
      over.abort()
      await Promise.all(writing)
      for (const writer of writers) writer.close()
    },
    replicas: () => collect(writers.flatMap(({ documents }) => documents))
  }
}

function collect (all: Array<{ id: DocumentId, actor: string, doc: Automerge.Doc<Fields> }>): Round['replicas'] {
  const replicas: Round['replicas'] = new Map()
  for (const { id, ...replica } of all) replicas.set(id, [...replicas.get(id) ?? [], replica])
  return replicas
}

/** Waits until so many files have been begun in the folder for files that are being written, but not for ever. */
async function fileBegun (folder: string, count: number, longest: number): Promise<void> {
  const scratch = path.join(folder, 'tmp')
  const watcher = watch(scratch)
  const signal = AbortSignal.timeout(longest)
  try {
    for (let left = count; left > 0;) {
      const [, name] = await once(watcher, 'change', { signal })
      if (existsSync(path.join(scratch, String(name)))) left--
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    watcher.close()
  }
}

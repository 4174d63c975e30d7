import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DocumentId } from '../../../lib/ids.ts'
import { noUnshare, random } from '../../lib/storage/disk.ts'
import { Ledger } from './ledger.ts'
import { compareFolder, newId, verify, writeLight, type Kind, type Round } from './life.ts'
import { NotReady, RelayProcess } from './relay-process.ts'

/** A PID namespace of its own, as a container has. What it runs is killed with it. */
const CONTAINER = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child']

const KINDS: Kind[] = [
  { documents: 4, bytes: 0, window: 40, foldInterval: 10 },
  { documents: 4, bytes: 0, window: 0, foldInterval: 50 },
  { documents: 0, bytes: 100, window: 0, foldInterval: 100 },
  { documents: 3, bytes: 60_000, window: 2, foldInterval: 50 }
]

export interface FightOptions {
  folder: string
  seed: number
  rounds: number
  /** ms that are written in a round at most */
  writing: number
  program?: string | undefined
}

export interface FightFigures {
  rounds: number
  /** Rounds in which each relay was in a PID namespace of its own. */
  contained: number
  /** Rounds in which a relay that stood still lost the folder to another. */
  robbed: number
  /** Relays that were refused the folder. */
  refused: number
  acknowledged: number
  lost: number
  problems: string[]
}

/**
 * One storage folder and relays that fight for it. In each round two start at once, of which one must get it; that is
 * written to, in folds that never end, while a third tries; and then it is killed, and two start again. In one round of
 * three it is not killed but stopped, its lock is deleted and the folder given to the next one, and then it goes on: it
 * must write nothing more, acknowledge nothing that the next one has not, and end.
 */
export async function fight ({ folder, seed, rounds, writing, program }: FightOptions): Promise<FightFigures> {
  const below = random(seed)
  const figures: FightFigures = { rounds, contained: 0, robbed: 0, refused: 0, acknowledged: 0, lost: 0, problems: [] }
  const all = new Ledger()
  let last: Round | undefined

  for (let n = 0; n <= rounds; n++) {
    const problem = (text: string): void => { figures.problems.push(`seed ${seed}, round ${n}: ${text}`) }
    const isRobbed = below(3) === 0
    // the last one is sent a SIGTERM, which unshare does not pass on
    const isContained = noUnshare === false && !isRobbed && n < rounds && below(2) === 0
    const kind = KINDS[below(KINDS.length)]!
    const start = async () => await RelayProcess.start(folder, {
      program, foldInterval: kind.foldInterval, wrap: isContained ? CONTAINER : []
    })
    /** Starts so many at once; tells those that got the folder. */
    const startAll = async (count: number): Promise<RelayProcess[]> => {
      const results = await Promise.allSettled(Array.from({ length: count }, start))
      for (const result of results) {
        if (result.status === 'fulfilled') continue
        if (!(result.reason instanceof NotReady)) throw result.reason
        if (!result.reason.said.includes('in use by')) problem(result.reason.message)
        figures.refused++
      }
      return results.filter(result => result.status === 'fulfilled').map(({ value }) => value)
    }

    const [relay, ...more] = await startAll(2)
    if (relay === undefined || more.length > 0) {
      problem(`${1 + more.length} relays got the folder`)
      for (const other of [relay, ...more]) await other?.end('SIGKILL')
      break
    }
    if (last !== undefined) await verify(relay, last, figures, problem)
    if (n === rounds) {
      await relay.end('SIGTERM')
      break
    }
    const ledger = new Ledger()
    const begun = new AbortController()
    const promised: typeof ledger.promised = (id, heads) => {
      if (heads.length > 0) begun.abort()
      ledger.promised(id, heads)
      all.promised(id, heads)
    }
    const ids: DocumentId[] = Array.from({ length: kind.documents }, newId)
    const { replicas, stop } = await writeLight({ relay, kind, ids, promised, below })
    if (!begun.signal.aborted) await once(begun.signal, 'abort')
    const [challenger] = await startAll(1)
    if (challenger !== undefined) {
      problem('a third relay got the folder')
      await challenger.end('SIGKILL')
    }
    await sleep(below(writing))
    if (isContained) figures.contained++
    if (isRobbed) {
      figures.robbed++
      relay.signal('SIGSTOP')
      await rm(path.join(folder, 'lock.d'), { recursive: true })
      const [next] = await startAll(1)
      relay.signal('SIGCONT')
      const [code] = await relay.exit
      if (code !== 1) problem(`exit code ${code} of a relay that has lost its folder`)
      await stop()
      last = { ledger, replicas: replicas() }
      if (next === undefined) problem('no relay got the folder after its lock was deleted')
      else {
        await verify(next, last, figures, problem)
        await next.end('SIGKILL')
      }
    } else {
      await relay.end('SIGKILL')
      await stop()
      last = { ledger, replicas: replicas() }
    }
    for (const error of relay.errors) if (!isRobbed) problem(`the relay logged ${error}`)
  }

  figures.problems.push(...(await compareFolder(folder, all)).map(text => `seed ${seed}, at the end: ${text}`))
  return figures
}

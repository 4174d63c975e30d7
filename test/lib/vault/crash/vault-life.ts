import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { createHash } from 'node:crypto'
import { random } from '../../../fuzz.ts'
import { openLocalVault, PLACES } from './local-vault.ts'

const PROGRAM = path.join(import.meta.dirname, 'vault-worker.ts')

export interface VaultLife {
  rounds: number
  /** Objects whose put was answered */
  acknowledged: number
  problems: string[]
}

/**
 * Kills a process that puts, repairs, scrubs and collects, again and again, and looks after each time for what it had
 * acknowledged: every such object is read whole, no other is listed that cannot be read, and what is left is collected.
 */
export async function vaultLife (
  { folder, seed, rounds, writing }: { folder: string, seed: number, rounds: number, writing: number }
): Promise<VaultLife> {
  const below = random(seed)
  const life: VaultLife = { rounds, acknowledged: 0, problems: [] }
  const expected = new Map<string, string>()
  for (let round = 0; round < rounds; round++) {
    for (const [id, sum] of await killedAfter(folder, below(2 ** 31), below(writing))) expected.set(id, sum)
    life.problems.push(...(await problemsOf(folder, expected)).map(problem => `round ${round}: ${problem}`))
  }
  life.acknowledged = expected.size
  life.problems.push(...await leftIn(folder))
  return life
}

/** What a process acknowledged before it was killed, `ms` after its first word: on a busy machine it starts slowly. */
async function killedAfter (folder: string, seed: number, ms: number): Promise<Array<[string, string]>> {
  const args = ['--import', 'tsx', PROGRAM, folder, String(seed)]
  const child = spawn(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'inherit']
  })
  const ended = once(child, 'exit')
  const acknowledged: Array<[string, string]> = []
  let timer: NodeJS.Timeout | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    timer ??= setTimeout(() => { child.kill('SIGKILL') }, ms)
    acknowledged.push(line.split(' ') as [string, string])
  }
  clearTimeout(timer)
  const [code, signal] = await ended as [number | null, string | null]
  if (signal !== 'SIGKILL') throw new Error(`it ended by itself, with ${code}`)
  return acknowledged
}

async function problemsOf (folder: string, expected: ReadonlyMap<string, string>): Promise<string[]> {
  const { vault, close } = await openLocalVault(folder)
  const problems: string[] = []
  try {
    const { unreadable } = await vault.refresh()
    problems.push(...unreadable.map(id => `manifest ${id} is half there`))
    const listed = vault.list()
    for (const id of expected.keys()) {
      if (!listed.some(entry => entry.id === id)) problems.push(`${id} was acknowledged and is gone`)
    }
    for (const { id } of listed) {
      const { description, bytes } = vault.get(id)
      const hash = createHash('sha256')
      for await (const piece of bytes) hash.update(piece)
      const sum = hash.digest('hex')
      if (sum !== description.sha256 || (expected.get(id) ?? sum) !== sum) problems.push(`${id} has other bytes`)
    }
  } catch (error) {
    problems.push(String(error))
  } finally {
    await close()
  }
  return problems
}

/** What is there that no object needs, after repair and two rounds of collection. */
async function leftIn (folder: string): Promise<string[]> {
  const { vault, close } = await openLocalVault(folder)
  try {
    const { found } = await vault.repair({ now: true })
    await vault.collect()
    await vault.collect()
    const needed = vault.list().flatMap(({ id }) => vault.info(id).segments.flatMap(({ places }) => places)).length
    const places = PLACES.map(place => path.join(folder, place, 'vault', 'shards'))
    const names = await Promise.all(places.map(async place => await readdir(place, { recursive: true })))
    const shards = names.flat().filter(name => name.length > 64).length
    return [
      ...Object.entries(found).flatMap(([state, ids]) => ids.map(id => `${id} is ${state}`)),
      ...shards === needed ? [] : [`there are ${shards} shards, of which ${needed} are needed`]
    ]
  } finally {
    await close()
  }
}

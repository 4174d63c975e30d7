import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../errors.ts'
import { makeFolder, writeAtomic } from '../../objects/atomic-file.ts'

/** What is remembered of a vault's upkeep from one start to the next. Times in ms since 1970, 0 for never. */
export interface UpkeepState {
  /** The shard after which a scrub goes on; empty at the beginning of a round */
  position: string
  /** When every shard had been read */
  scrubbed: number
  /** When a part of a round was read last */
  scrubbedPart: number
  repaired: number
  drilled: number
  collected: number
  backedUp: number
}

const NEVER: UpkeepState = {
  position: '', scrubbed: 0, scrubbedPart: 0, repaired: 0, drilled: 0, collected: 0, backedUp: 0
}

/** What a file says; never, where there is none or it is damaged: then all is due again. */
export async function readState (file: string): Promise<UpkeepState> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) !== 'ENOENT') throw error
    return '{}'
  })
  const state = { ...NEVER }
  const found = parsed(text)
  if (typeof found['position'] === 'string') state.position = found['position']
  for (const name of ['scrubbed', 'scrubbedPart', 'repaired', 'drilled', 'collected', 'backedUp'] as const) {
    if (typeof found[name] === 'number') state[name] = found[name]
  }
  return state
}

export async function writeState (file: string, state: UpkeepState): Promise<void> {
  await makeFolder(path.dirname(file))
  await writeAtomic(file, Buffer.from(`${JSON.stringify(state)}\n`), path.dirname(file))
}

function parsed (text: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text)) as Record<string, unknown>
  } catch {
    return {}
  }
}

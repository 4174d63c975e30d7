// Kills the relay again and again while it is written to, and looks for what it had acknowledged:
// npm run build && npm run crash -- --rounds 300 [--seed 1] [--writing 1500] [--program dist/bin/tonk-relay.js]
// [--relays 2] Ten rounds share a storage folder and a seed; a failure names the seed, and `--rounds 10 --seed <it>`
// goes the same way again (what the threads of the system do in between is not the same). The folder is kept then.
//
// With --relays 2, relays fight for each folder: test/app/crash/fight.ts.
//
// What it shows: nothing that was acknowledged, or passed on to others, is gone after a SIGKILL at any moment, folds
// and compactions included; every document loads; a SIGTERM leaves exit code 0 and no journal. What it does not show:
// that a power cut loses nothing. A killed process leaves behind all that it handed to the operating system, synced or
// not.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { fight, type FightOptions } from '../test/app/crash/fight.ts'
import { live, type Figures } from '../test/app/crash/life.ts'

const ROUNDS = 10 // of one folder

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    writing: { type: 'string', default: '1500' },
    program: { type: 'string' },
    relays: { type: 'string', default: '1' }
  }
})
const program = values.program === undefined ? undefined : path.resolve(values.program)

interface Outcome { acknowledged: number, lost: number, problems: string[] }

/** Goes through all rounds, a folder for every ten. */
async function all<T extends Outcome> (run: (options: FightOptions) => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (let left = Number(values.rounds), seed = Number(values.seed); left > 0; left -= ROUNDS, seed++) {
    const folder = await mkdtemp(path.join(os.tmpdir(), `crash-${seed}-`))
    const figures = await run({
      folder, seed, rounds: Math.min(left, ROUNDS), writing: Number(values.writing), program
    })
    results.push(figures)
    console.log(
      `seed ${seed}: ${figures.acknowledged} changes acknowledged, ` +
        `${figures.lost} lost${figures.problems.map(problem => `\n  ${problem}`).join('')}`
    )
    if (figures.problems.length === 0) await rm(folder, { recursive: true })
    else console.log(`  kept: ${folder}`)
  }
  if (results.some(({ lost, problems }) => lost > 0 || problems.length > 0)) process.exitCode = 1
  return results
}

const total = <T>(results: T[], of: (figures: T) => number): number =>
  results.reduce((sum, figures) => sum + of(figures), 0)

if (Number(values.relays) > 1) {
  const fights = await all(fight)
  console.table({
    rounds: total(fights, ({ rounds }) => rounds),
    'of them with a PID namespace for each relay': total(fights, ({ contained }) => contained),
    'of them with a relay that was robbed of its folder': total(fights, ({ robbed }) => robbed),
    'relays that were refused the folder': total(fights, ({ refused }) => refused),
    'changes acknowledged or passed on': total(fights, ({ acknowledged }) => acknowledged),
    'of them lost': total(fights, ({ lost }) => lost),
    problems: total(fights, ({ problems }) => problems.length)
  })
  process.exit()
}

const lives = await all(live)
const sum = (of: (figures: Figures) => number): number => total(lives, of)
const restarts = lives.flatMap(({ restarts }) => restarts).sort((a, b) => a - b)
const percentile = (part: number): string =>
  restarts[Math.min(restarts.length - 1, Math.floor(part * restarts.length))]!.toFixed(0)
console.table({
  rounds: sum(({ rounds }) => rounds),
  'of them ended by SIGTERM (one more a folder)': sum(({ terminated }) => terminated) - lives.length,
  'changes acknowledged or passed on': sum(({ acknowledged }) => acknowledged),
  'of them lost': sum(({ lost }) => lost),
  'rounds that left a journal': sum(({ leftJournal }) => leftJournal),
  'torn ends of journals': sum(({ tornEnds }) => tornEnds),
  'rounds that left a file half-written': sum(({ leftTemporary }) => leftTemporary),
  'start until ready, ms: p50': percentile(0.5),
  'start until ready, ms: p99': percentile(0.99),
  problems: sum(({ problems }) => problems.length)
})

// Kills a process that works on a vault again and again, and looks for all that it had acknowledged:
//   npm run crash:vault -- [--rounds 300] [--seed 1] [--writing 1500]
// `writing`: ms after its first object within which it is killed. Where something is wrong, the folder is kept.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { PLACES } from '../test/lib/vault/crash/local-vault.ts'
import { vaultLife } from '../test/lib/vault/crash/vault-life.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    writing: { type: 'string', default: '1500' }
  }
})
const folder = await mkdtemp(path.join(os.tmpdir(), 'crash-vault-'))
console.log(folder)
for (const place of PLACES) await mkdir(path.join(folder, place))
const [rounds, seed, writing] = [values.rounds, values.seed, values.writing].map(Number) as [number, number, number]
const { acknowledged, problems } = await vaultLife({ folder, seed, rounds, writing })
for (const problem of problems) console.log(problem)
console.log(`${rounds} kills, ${acknowledged} objects acknowledged, ${problems.length} problems`)
if (problems.length === 0) await rm(folder, { recursive: true })
else process.exitCode = 1

// Kills a relay with a feed again and again while events come, and looks for every one of them:
//   npm run crash:feed -- [--rounds 50] [--rate 400] [--seed 1] [--program dist/bin/tonk-relay.js]
// Half of the rounds are on each wire. With REDIS_URL records go there too (.ci/redis run npm run crash:feed). Where
// something is wrong, the folder is kept.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { NOTES, kill } from '../test/app/feed/kills.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '50' },
    rate: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
    program: { type: 'string' }
  }
})
const program = values.program === undefined ? undefined : path.resolve(values.program)
const results: object[] = []
for (const wire of ['v1', 'v2'] as const) {
  const folder = await mkdtemp(path.join(os.tmpdir(), `crash-feed-${wire}-`))
  console.log(`${wire}: ${folder}`)
  const { errors, unsound, notes, records, documents, redis, ...rest } = await kill({
    folder,
    rounds: Math.ceil(Number(values.rounds) / 2),
    rate: Number(values.rate),
    seed: Number(values.seed),
    wire,
    program,
    redis: process.env['REDIS_URL']
  })
  for (const [where, account] of Object.entries({ records, documents, ...redis !== undefined && { redis } })) {
    results.push({ wire, where, ...account, ...rest })
  }
  for (const problem of [...errors, ...unsound]) console.log(problem)
  const isWell = [records, documents, redis].every(one => one === undefined || (one.lost === 0 && one.repeats === 0)) &&
    rest.isNumbered && errors.length + unsound.length === 0 && notes === NOTES
  if (isWell) await rm(folder, { recursive: true })
  else process.exitCode = 1
}
console.table(results)

// Lets real automerge-repo clients edit, go, come back and lose their storage while the relay is killed again and
// again, and looks whether in the end all have the same, and everything: npm run build && npm run convergence --
// --minutes 10 [--seed 1] [--clients 6] [--documents 8] [--seconds 15] [--idle-timeout 50] [--program
// dist/bin/tonk-relay.js] Each run of some seconds has a storage folder and a seed of its own; a failure names the
// seed, and `--seed <it> --minutes 0` takes the same steps again (what the threads of the system do in between is not
// the same). The folder is kept then.
//
// What it shows: every client, an empty one that comes last, and the folder read by automerge-repo's own storage end
// with the same heads and content, which are what Automerge makes of all changes; of the changes, only those may be
// gone that a client lost itself before the relay had acknowledged them.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { run, type Figures } from '../test/app/convergence/run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '10' },
    clients: { type: 'string', default: '6' },
    documents: { type: 'string', default: '8' },
    seconds: { type: 'string', default: '15' },
    'idle-timeout': { type: 'string' },
    program: { type: 'string' }
  }
})
const program = values.program === undefined ? undefined : path.resolve(values.program)
const until = performance.now() + Number(values.minutes) * 60_000
const runs: Figures[] = []
let seed = Number(values.seed)
do {
  const folder = await mkdtemp(path.join(os.tmpdir(), `convergence-${seed}-`))
  const figures = await run({
    folder,
    seed,
    clients: Number(values.clients),
    documents: Number(values.documents),
    duration: Number(values.seconds) * 1000,
    program,
    ...values['idle-timeout'] !== undefined && { idleTimeout: Number(values['idle-timeout']) }
  })
  runs.push(figures)
  const { changes, excused, documents, clients, settled, problems } = figures
  console.log(
    `seed ${seed}: ${clients} clients, ${documents} documents, ${changes} changes (${excused} lost by their maker), ` +
      `settled in ${settled?.toFixed(0) ?? '?'} ms${problems.map(problem => `\n  ${problem}`).join('')}`
  )
  if (problems.length === 0) await rm(folder, { recursive: true })
  else console.log(`  kept: ${folder}`)
  seed++
} while (performance.now() < until)

const sum = (of: (figures: Figures) => number): number => runs.reduce((total, figures) => total + of(figures), 0)
const settled = runs.map(({ settled }) => settled ?? Infinity).sort((a, b) => a - b)
const steps = new Set(runs.flatMap(({ steps }) => Object.keys(steps)))
console.table({
  runs: runs.length,
  changes: sum(({ changes }) => changes),
  'lost by their maker, unacknowledged': sum(({ excused }) => excused),
  ...Object.fromEntries([...steps].sort().map(step => [`step: ${step}`, sum(({ steps }) => steps[step] ?? 0)])),
  'settled in ms: p50': settled[settled.length >> 1]!.toFixed(0),
  'settled in ms: longest': settled.at(-1)!.toFixed(0),
  problems: sum(({ problems }) => problems.length)
})
process.exit(runs.some(({ problems }) => problems.length > 0) ? 1 : 0) // clients leave timers behind

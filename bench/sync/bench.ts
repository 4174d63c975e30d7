// The relay beside other sync servers, the same work with each, in turns:
// npm run build && npm run bench [-- fanout join ...] [--rounds 3] [--servers relay,sync-server] [--json file]
// [--program dist/bin/tonk-relay.js] Each run has a fresh server on a fresh folder and a load generator of its own.
// Tables hold medians of the rounds, and the first server's as multiples of others'. Linux only, loopback only. CPU is
// what the kernel counts for the server and its children, in ticks of 10 ms; it can be compared between runs and
// machines as far as their processors can. Latencies can only be compared with those beside them: they are the
// machine's, and its other work's, as well.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { loads } from './loads/all.ts'
import type { Figures } from './meter.ts'
import type { Result, Task } from './run.ts'
import { install, serverKinds, versionOf } from './servers.ts'
import { medians, printTable } from './table.ts'

const RUN = fileURLToPath(new URL('./run.ts', import.meta.url))
const TIME_LIMIT = 600_000 // ms for a run

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string', default: '3' },
    servers: { type: 'string' },
    json: { type: 'string' },
    program: { type: 'string', default: 'dist/bin/tonk-relay.js' }
  }
})
const program = path.resolve(values.program)
if (!existsSync(program)) throw new Error(`${program} is not there: npm run build`)
const servers = chosen('server', serverKinds(program), values.servers?.split(','))
const work = chosen('load', loads, positionals.length > 0 ? positionals : undefined)
const rounds = Number(values.rounds)
for (const server of servers) install(server)

function chosen<Item extends { name: string }> (what: string, all: Item[], names?: string[]): Item[] {
  return names?.map(wanted => {
    const item = all.find(({ name }) => name === wanted)
    if (item === undefined) throw new Error(`no ${what} ${wanted}; there are ${all.map(({ name }) => name).join(', ')}`)
    return item
  }) ?? all
}

async function run (task: Task): Promise<Result> {
  const child = fork(RUN, { execArgv: ['--max-old-space-size=8192', ...process.execArgv] })
  const timer = setTimeout(() => { child.kill() }, TIME_LIMIT)
  child.send(task)
  const [result] = await Promise.race([once(child, 'message'), once(child, 'exit')]) as [Result | number | null]
  clearTimeout(timer)
  return typeof result === 'object' && result !== null
    ? result
    : { problem: `the load generator ended or took longer than ${TIME_LIMIT / 1000} s` }
}

interface Row { load: string, title: string, server: string, runs: Figures[], median: Figures, problems: string[] }

const report: Row[] = []
for (const load of work) {
  await load.prepare?.()
  const rows = servers.filter(load.suits).map(({ name }) => ({
    load: load.name,
    title: load.title,
    server: name,
    runs: [] as Figures[],
    median: {} as Figures,
    problems: [] as string[]
  }))
  for (let round = 0; round < rounds; round++) {
    for (const row of rows) {
      const result = await run({ load: load.name, server: row.server, program })
      if ('figures' in result) row.runs.push(result.figures)
      else row.problems.push(result.problem)
    }
  }
  for (const row of rows) row.median = medians(row.runs)
  printTable(`${load.name}: ${load.title}`, new Map(rows.filter(({ runs }) => runs.length > 0).map(row => [
    row.server, row.median
  ])))
  for (const { server, problems } of rows) for (const problem of problems) console.log(`${server} failed: ${problem}`)
  report.push(...rows)
  if (values.json !== undefined) await writeFile(values.json, JSON.stringify(report, null, 2))
}
const versions = servers.filter(({ peer }) => peer !== undefined).map(versionOf).join(', ')
console.log(
  `\nmedians of ${rounds} interleaved runs each; ${versions}; Node ${process.version}, ${os.cpus().length} cores, ` +
    `Linux ${os.release()}, ${new Date().toISOString().slice(0, 10)}`
)

// The tunnel beside the package whose wire it speaks and beside a Fastify route that does the same, in turns:
//   npm run bench:tunnel [-- rounds [seconds]]
// Each server in a process of its own on the first core, callers on the second (Linux; elsewhere wherever they land).
// CPU is all that the server's process used, per answer, in the quarter of the rounds that was disturbed least: the
// figure to go by where something else runs too. "bare Node" answers the same bytes and does nothing else: what is
// possible at best. Then one upload and one result of 1 GB, with the process's peak memory.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import http from 'node:http'
import { text } from 'node:stream/consumers'

const [rounds = 16, seconds = 1] = process.argv.slice(2).map(Number)
const DIST = process.env['BENCH_DIST'] ?? 'dist'
const KINDS = ['runner 5.5.0', 'bare Fastify', 'bare Node', 'plugin', 'fast path']
const CONNECTIONS = 50
const WARM = 30_000
const GB = 1e9

/** On one core, where that can be said. */
const pinned = (core: number, args: string[]): [string, string[]] =>
  process.platform === 'linux' ? ['taskset', ['-c', String(core), process.execPath, ...args]] : [process.execPath, args]

class Server {
  readonly #child: ChildProcess
  port = 0

  constructor (kind: string) {
    const [command, args] = pinned(0, ['bench/tunnel/server.mjs', kind, DIST])
    this.#child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.once('exit', code => {
      if (code !== null && code !== 0) {
        throw new Error(`the server ${kind} ended with ${code}`)
      }
    })
  }

  get pid (): number { return this.#child.pid! }

  async ready (): Promise<void> {
    const [{ port }] = await once(this.#child, 'message')
    this.port = port
  }

  /** us of CPU since its start */
  async cpu (): Promise<number> {
    this.#child.send('cpu')
    const [{ cpu: { user, system } }] = await once(this.#child, 'message')
    return user + system
  }

  stop (): void { this.#child.kill() }
}

interface Load { perSecond: number, p50: number, p99: number, answered: number, callers: number }

const [loader, arguments_] = pinned(1, ['bench/tunnel/load.mjs'])
const callers = spawn(loader, arguments_, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })

async function load (port: number, seconds: number): Promise<Load> {
  callers.send({ port, connections: CONNECTIONS, seconds })
  const [result] = await once(callers, 'message')
  return result
}

/** Until what is called often has been compiled, however slowly that goes here. */
async function warm (port: number): Promise<void> {
  for (let answered = 0; answered < WARM;) answered += (await load(port, 1)).answered
}

const quantile = (values: number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length * part)]!
const median = (values: number[]): number => quantile(values, 0.5)

async function compare (): Promise<void> {
  const servers = KINDS.map(kind => new Server(kind))
  await Promise.all(servers.map(server => server.ready()))
  const runs = servers.map(() => [] as Array<Load & { cpu: number }>)
  for (const server of servers) await warm(server.port)
  for (let round = 0; round < rounds; round++) {
    for (const [n, server] of servers.entries()) {
      const before = await server.cpu()
      const run = await load(server.port, seconds)
      runs[n]!.push({ ...run, cpu: (await server.cpu() - before) / run.answered })
    }
  }
  for (const server of servers) server.stop()
  const cpuOf = (run: Array<{ cpu: number }>): number => quantile(run.map(({ cpu }) => cpu), 0.25)
  const [theirs, bare] = runs.map(cpuOf)
  const [theirRate, bareRate] = runs.map(run => median(run.map(({ perSecond }) => perSecond)))
  console.table(Object.fromEntries(KINDS.map((kind, n) => {
    const [rate, cpu] = [median(runs[n]!.map(({ perSecond }) => perSecond)), cpuOf(runs[n]!)]
    return [kind, {
      'requests/s': Math.round(rate),
      'p50 ms': median(runs[n]!.map(({ p50 }) => p50)).toFixed(2),
      'p99 ms': median(runs[n]!.map(({ p99 }) => p99)).toFixed(2),
      'CPU us': cpu.toFixed(1),
      'callers us': quantile(runs[n]!.map(({ callers }) => callers), 0.25).toFixed(1),
      'x runner': `${(rate / theirRate!).toFixed(2)} (CPU ${(theirs! / cpu).toFixed(2)})`,
      'x Fastify': `${(rate / bareRate!).toFixed(2)} (CPU ${(bare! / cpu).toFixed(2)})`
    }]
  })))
}

/** MB of the process's peak above what it had before. */
async function peakOf (pid: number, run: () => Promise<void>): Promise<number> {
  const read = async (key: RegExp): Promise<number> =>
    Number(key.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000
  await writeFile(`/proc/${pid}/clear_refs`, '5')
  const before = await read(/VmRSS:\s+(\d+)/)
  await run()
  return await read(/VmHWM:\s+(\d+)/) - before
}

function post (
  port: number, task: string, type: string, send: (request: http.ClientRequest) => Promise<void>
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = http.request({
      port,
      method: 'POST',
      path: `/__runner/task/app.tasks.${task}`,
      headers: { 'content-type': type, 'x-runner-token': 'bench-secret' }
    }, resolve)
    request.on('error', reject)
    send(request).catch(reject)
  })
}

async function upload (port: number): Promise<void> {
  const chunk = Buffer.alloc(65536, 1)
  const response = await post(port, 'sink', 'multipart/form-data; boundary=bb', async request => {
    request.write(
      '--bb\r\ncontent-disposition: form-data; ' +
        'name="__manifest"\r\n\r\n{"input":{"file":{"$runnerFile":"File","id":"F"}}}\r\n'
    )
    request.write('--bb\r\ncontent-disposition: form-data; name="file:F"; filename="f"\r\n\r\n')
    for (let sent = 0; sent < GB; sent += chunk.length) if (!request.write(chunk)) await once(request, 'drain')
    request.end('\r\n--bb--\r\n')
  })
  const answer = await text(response)
  if (!answer.includes('"bytes":1000')) throw new Error(answer)
}

async function download (port: number): Promise<void> {
  const response = await post(port, 'source', 'application/json', async request => {
    request.end(`{"input":{"bytes":${GB}}}`)
  })
  let bytes = 0
  for await (const chunk of response) bytes += chunk.length
  if (bytes !== GB) throw new Error(`${bytes} bytes came`)
}

async function streams (): Promise<void> {
  for (const [name, run] of Object.entries({ upload, download })) {
    const server = new Server('plugin')
    await server.ready()
    await load(server.port, 1)
    const start = performance.now()
    const peak = process.platform === 'linux'
      ? `${(await peakOf(server.pid, () => run(server.port))).toFixed(0)} MB above idle at most`
      : await run(server.port)
    console.log(`${name} of 1 GB: ${((performance.now() - start) / 1000).toFixed(1)} s, ${peak}`)
    server.stop()
  }
}

await compare()
await streams()
callers.kill()

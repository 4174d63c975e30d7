// Documents over HTTP, in turns, without sockets:
//   node --import tsx bench/documents-http.ts [rounds [ms]]
// CPU is that of the process with its threads, per answer, in the quarter of the rounds that was disturbed least. "GET"
// is a view that has been made, "history" is made anew each time, as a view is after each change: the document is
// opened on a worker thread. So does a patch; "by hand" is what a service would do with Automerge in its own process:
// load, change, save.
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import Fastify, { type InjectOptions } from 'fastify'
import relay from '../app.ts'

const [rounds = 12, ms = 400] = process.argv.slice(2).map(Number)
const MERGE = 'application/merge-patch+json'

/** A document of some keystrokes, each a change. */
function typed (count: number): Uint8Array {
  let doc = Automerge.from<{ text: string, n: number }>({ text: '', n: 0 })
  for (let n = 0; n < count; n++) {
    doc = Automerge.change(doc, d => { Automerge.splice(d, ['text'], n, 0, 'abcdefgh '[n % 9]!) })
  }
  return Automerge.save(doc)
}

const folder = await mkdtemp(path.join(os.tmpdir(), 'bench-documents-'))
const app = Fastify()
await app.register(relay, { storage: folder, limits: { requestsPerMinute: 1e9 } })
await app.ready()

async function measure (run: () => Promise<unknown>): Promise<{ cpu: number, count: number }> {
  await run() // what is made once is made
  const before = process.cpuUsage()
  const end = performance.now() + ms
  let count = 0
  while (performance.now() < end) {
    await run()
    count++
  }
  const { user, system } = process.cpuUsage(before)
  return { cpu: (user + system) / count, count }
}

for (const keystrokes of [100, 10_000, 100_000]) {
  const saved = typed(keystrokes)
  const headers = { 'content-type': 'application/octet-stream' }
  const made = await app.inject({ method: 'POST', url: '/api/documents', headers, payload: Buffer.from(saved) })
  const { id } = made.json<{ id: string }>()
  const url = `/api/documents/${id}`
  const answered = async (status: number, ask: InjectOptions | string): Promise<string> => {
    const { statusCode, headers, body } = await app.inject(ask)
    if (statusCode !== status) throw new Error(`${statusCode}: ${body}`)
    return String(headers['etag'])
  }
  let n = 0
  const patch = () =>
    answered(200, { method: 'PATCH', url, headers: { 'content-type': MERGE }, payload: JSON.stringify({ n: ++n }) })
  const kinds: Record<string, () => Promise<unknown>> = {
    GET: () => answered(200, url),
    HEAD: () => answered(200, { method: 'HEAD', url }),
    'GET history': () => answered(200, `${url}/history?limit=10`),
    'GET heads': () => answered(200, `${url}/heads`),
    PATCH: patch,
    'by hand': async () => {
      Automerge.save(Automerge.change(Automerge.load<{ n: number }>(saved), d => { d.n = ++n }))
    }
  }
  const results = Object.fromEntries(Object.keys(kinds).map(kind => [
    kind, [] as Array<{ cpu: number, count: number }>
  ]))
  for (let round = 0; round < rounds; round++) {
    for (const [kind, run] of Object.entries(kinds)) results[kind]!.push(await measure(run))
  }
  console.log(`${keystrokes} keystrokes, ${saved.length} bytes`)
  for (const [kind, measured] of Object.entries(results)) {
    const cpu = measured.map(({ cpu }) => cpu).sort((a, b) => a - b)[Math.floor(rounds / 4)]!
    console.log(`  ${kind.padEnd(14)} ${(cpu / 1e3).toFixed(3).padStart(9)} ms of CPU`)
  }
}

await app.close()
await rm(folder, { recursive: true })

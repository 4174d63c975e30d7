// Uploads, downloads and slim cuts of bundles of growing size against the built executable, each relay on a fresh
// folder: npm run build && npm run bench:bundles [-- 1 100 1000] sizes in MB Linux only: memory is the process's peak
// (VmHWM, reset before each step), bytes read are what it read in all (rchar).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { randomBytes } from 'node:crypto'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl } from '@automerge/automerge-repo'
import { ZipFile } from 'yazl'

const MB = 1e6
const DOCUMENT = 1 * MB
const sizes = process.argv.slice(2).map(Number)
const newId = (): string => parseAutomergeUrl(generateAutomergeUrl()).documentId

/** A bundle of incompressible 1 MB documents, written as a stream. */
async function makeBundle (file: string, megabytes: number): Promise<string> {
  const zip = new ZipFile()
  const rootId = newId()
  const add = (id: string, content: Automerge.Doc<unknown>) => {
    const document = Automerge.save(content)
    Automerge.free(content)
    zip.addBuffer(Buffer.from(document), `storage/${id.slice(0, 2)}/${id.slice(2)}/snapshot/bundle_export`, {
      compress: false
    })
  }
  const manifest = {
    manifestVersion: 1, version: { major: 1, minor: 0 }, rootId, entrypoints: [], networkUris: [], xNotes: null
  }
  zip.addBuffer(Buffer.from(JSON.stringify(manifest, null, 2)), 'manifest.json')
  add(rootId, Automerge.from({ path_index: '{"paths":{}}' }))
  const written = pipeline(zip.outputStream as Readable, createWriteStream(file))
  for (let n = 0; n < megabytes; n++) {
    add(newId(), Automerge.from({ bytes: new Uint8Array(randomBytes(DOCUMENT)) }))
    await new Promise(setImmediate)
  }
  zip.end()
  await written
  return rootId
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

class Relay {
  readonly url: string
  readonly #process
  constructor (port: number, folder: string) {
    this.url = `http://127.0.0.1:${port}`
    const limit = String(4e9)
    this.#process = spawn(process.execPath, [
      'dist/bin/tonk-relay.js', String(port), '--storage', folder, '--max-upload', limit, '--max-inflated', limit,
      '--log-level', 'silent'
    ], {
      stdio: 'inherit'
    })
  }

  async ready (): Promise<void> {
    for (;;) {
      try { await fetch(this.url); return } catch { await new Promise(resolve => setTimeout(resolve, 50)) } // not yet
    }
  }

  async #read (name: string, key: RegExp): Promise<number> {
    return Number(key.exec(await readFile(`/proc/${this.#process.pid}/${name}`, 'utf8'))?.[1])
  }

  /** MB */
  async rss (): Promise<number> { return await this.#read('status', /VmRSS:\s+(\d+)/) / 1000 }

  /** Runs a step; peak memory above `idle` and bytes read, both in MB. */
  async measure (idle: number, step: () => Promise<void>): Promise<{ seconds: number, peak: number, read: number }> {
    await writeFile(`/proc/${this.#process.pid}/clear_refs`, '5')
    const before = await this.#read('io', /rchar: (\d+)/)
    const start = performance.now()
    await step()
    const seconds = (performance.now() - start) / 1000
    return {
      seconds,
      peak: await this.#read('status', /VmHWM:\s+(\d+)/) / 1000 - idle,
      read: (await this.#read('io', /rchar: (\d+)/) - before) / MB
    }
  }

  async stop (): Promise<void> {
    this.#process.kill()
    await once(this.#process, 'exit')
  }
}

async function ok (response: Response): Promise<Response> {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return response
}

async function drain (response: Response): Promise<number> {
  let bytes = 0
  for await (const chunk of (await ok(response)).body!) bytes += chunk.length
  return bytes
}

const row = (cells: Array<string | number>) => {
  console.log(cells.map((cell, n) => String(cell)[n < 2 ? 'padEnd' : 'padStart'](n < 2 ? 18 : 14)).join(''))
}
row(['bundle', 'step', 'seconds', 'MB/s', 'peak +MB', 'read MB'])
for (const megabytes of sizes.length > 0 ? sizes : [1, 100, 1000]) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'relay-bench-'))
  const bundle = path.join(folder, 'bundle.tonk')
  const id = await makeBundle(bundle, megabytes)
  const { size } = await stat(bundle)
  const relay = new Relay(await freePort(), path.join(folder, 'data'))
  await relay.ready()
  const slim = `${relay.url}/api/bundles/${id}/manifest`
  await new Promise(resolve => setTimeout(resolve, 7_000)) // the worker thread of the start has ended
  const idle = await relay.rss()
  const steps: Array<[string, () => Promise<void>]> = [
    ['upload', async () => {
      await ok(await fetch(
        `${relay.url}/api/bundles`,
        {
          method: 'POST', body: Readable.toWeb(createReadStream(bundle)) as ReadableStream, duplex: 'half'
        } as RequestInit
      ))
    }],
    ['slim, first', async () => { await drain(await fetch(slim)) }],
    ['slim, cached', async () => { await drain(await fetch(slim)) }],
    ['download', async () => {
      if (await drain(await fetch(`${relay.url}/api/bundles/${id}`)) !== size) {
        throw new Error('cut short')
      }
    }],
    ['live', async () => { await drain(await fetch(`${relay.url}/api/bundles/${id}?state=live`)) }]
  ]
  for (const [name, step] of steps) {
    const { seconds, peak, read } = await relay.measure(idle, step)
    row([
      `${megabytes} MB`, name, seconds.toFixed(3), (size / MB / seconds).toFixed(0), peak.toFixed(0), read.toFixed(2)
    ])
  }
  await relay.stop()
  await rm(folder, { recursive: true })
}

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { WebSocket } from 'ws'
import { encodeCbor } from '../../lib/wire/cbor-encode.ts'
import type { ServerKind } from './servers.ts'
import { sleep } from './statistics.ts'

const READY_WITHIN = 120_000 // ms
const PROBE_WITHIN = 100
const STOPPED_WITHIN = 8_000

export interface StartOptions {
  /** Its storage; a new empty one that is removed afterwards by default. */
  folder?: string
  /** More arguments for the relay. */
  relay?: string[]
}

/** One process of one of the servers. */
export class Server {
  readonly url: string
  readonly pid: number
  readonly folder: string
  /** From its start until it served, ms. */
  startup = 0
  readonly #kind: ServerKind
  readonly #child: ChildProcess
  readonly #scratch: string

  static async start (kind: ServerKind, options: StartOptions = {}): Promise<Server> {
    const server = new Server(kind, await freePort(), options)
    await server.#ready()
    return server
  }

  private constructor (kind: ServerKind, port: number, { folder, relay = [] }: StartOptions) {
    this.#kind = kind
    this.#scratch = mkdtempSync(path.join(os.tmpdir(), 'relay-bench-'))
    this.folder = folder ?? mkdtempSync(path.join(this.#scratch, 'data-'))
    this.url = `ws://127.0.0.1:${port}/`
    const log = openSync(this.#log, 'w')
    this.#child = spawn(process.execPath, [...kind.command(port, this.folder), ...kind.name === 'relay' ? relay : []], {
      cwd: kind.peer,
      env: { ...process.env, NODE_OPTIONS: '', PORT: String(port), DATA_DIR: this.folder },
      stdio: ['ignore', log, log]
    })
    this.pid = this.#child.pid!
    process.once('exit', this.#kill)
  }

  get #log (): string { return path.join(this.#scratch, 'log') }
  get #hasExited (): boolean { return this.#child.exitCode !== null || this.#child.signalCode !== null }
  readonly #kill = (): void => { this.#child.kill('SIGKILL') }

  /**
   * Ready is who has answered: a peer's `join`, where that is the protocol. One of the servers takes sockets earlier
   * and never answers those.
   */
  async #ready (): Promise<void> {
    const begun = performance.now()
    while (!await answers(this.url, this.#kind.isAutomerge)) {
      if (this.#hasExited || performance.now() - begun > READY_WITHIN) {
        this.#kill()
        throw new Error(`${this.#kind.name} did not start:\n${readFileSync(this.#log, 'utf8').slice(-2000)}`)
      }
      await sleep(2)
    }
    this.startup = performance.now() - begun
  }

  /** Why it is no longer there, with the end of what it logged; undefined while it runs. */
  get failure (): string | undefined {
    return this.#hasExited ? `${this.#kind.name} ended: ${readFileSync(this.#log, 'utf8').slice(-500)}` : undefined
  }

  async stop (): Promise<void> {
    if (!this.#hasExited) {
      const gone = once(this.#child, 'exit')
      this.#child.kill()
      const timer = setTimeout(this.#kill, STOPPED_WITHIN)
      await gone
      clearTimeout(timer)
    }
    process.removeListener('exit', this.#kill)
    rmSync(this.#scratch, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function freePort (): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}

async function answers (url: string, joins: boolean): Promise<boolean> {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  return await new Promise<boolean>(resolve => {
    const end = (answered: boolean): void => {
      clearTimeout(timer)
      socket.terminate()
      resolve(answered)
    }
    const timer = setTimeout(() => { end(false) }, PROBE_WITHIN)
    socket.on('error', () => { end(false) })
    socket.on('message', () => { end(true) })
    socket.on('open', () => {
      if (joins) {
        socket.send(encodeCbor({
          type: 'join', senderId: 'bench-probe', peerMetadata: { isEphemeral: true }, supportedProtocolVersions: ['1']
        }))
      } else end(true)
    })
  })
}

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { automerge } from './clients/automerge.ts'
import { hocuspocus } from './clients/hocuspocus.ts'
import { numbered } from './clients/numbered.ts'
import type { Protocol } from './client.ts'

export interface ServerKind {
  name: string
  protocol: Protocol
  /** Whether it keeps Automerge documents in automerge-repo's nodefs layout. */
  isAutomerge: boolean
  /** Arguments of Node; port and folder are in the environment too, as PORT and DATA_DIR. */
  command: (port: number, folder: string) => string[]
  /** The folder it is installed in, when it is not this project's. */
  peer?: string
}

const PEERS = fileURLToPath(new URL('./peers/', import.meta.url))
const RELAY = 'dist/bin/tonk-relay.js'

/** @param program the relay's built executable */
export function serverKinds (program = RELAY): ServerKind[] {
  const peer = (name: string): string => path.join(PEERS, name)
  const floor = { isAutomerge: false, command: () => [path.join(peer('ws'), 'server.js')] }
  return [
    {
      name: 'relay',
      protocol: automerge,
      isAutomerge: true,
      command: (port, folder) =>
        [program, String(port), '--storage', folder, '--durability', 'fsync', '--log-level', 'warn']
    },
    {
      name: 'sync-server',
      protocol: automerge,
      isAutomerge: true,
      peer: peer('sync-server'),
      command: () => [path.join(peer('sync-server'), 'node_modules/@automerge/automerge-repo-sync-server/src/index.js')]
    },
    {
      name: 'automerge-repo',
      protocol: automerge,
      isAutomerge: true,
      peer: peer('automerge-repo'),
      command: () => [path.join(peer('automerge-repo'), 'server.js')]
    },
    {
      name: 'hocuspocus',
      protocol: hocuspocus,
      isAutomerge: false,
      peer: peer('hocuspocus'),
      command: () => [path.join(peer('hocuspocus'), 'server.js')]
    },
    { name: 'ws-send', protocol: numbered(false), ...floor },
    { name: 'ws-send-ack', protocol: numbered(true), ...floor }
  ]
}

/** Installs a server where its lock file says so, unless it is there. */
export function install ({ name, peer }: ServerKind): void {
  if (peer === undefined || existsSync(path.join(peer, 'node_modules/.package-lock.json'))) return
  console.error(`installing ${name} for comparison, once: npm ci in ${path.relative('.', peer)}`)
  const { status } = spawnSync('npm', ['ci', '--no-fund', '--no-audit'], {
    cwd: peer, stdio: ['ignore', 'ignore', 'inherit']
  })
  if (status !== 0) {
    throw new Error(`${name} could not be installed; leave it out with --servers, or run npm ci in ${peer}`)
  }
}

/** The versions compared, for the table's foot. */
export function versionOf ({ peer }: ServerKind): string {
  if (peer === undefined) return ''
  const { dependencies } =
    JSON.parse(readFileSync(path.join(peer, 'package.json'), 'utf8')) as { dependencies: Record<string, string> }
  return Object.entries(dependencies)[0]!.join(' ')
}

import type { Test } from 'tap'
import { Repo, type RepoConfig } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'

const RETRY = 500 // ms; each retry gives up a socket that is still connecting, which on a busy machine takes its time

/** A real automerge-repo client. */
export function connect (t: Test, url: string, config: Pick<RepoConfig, 'peerId'> = {}) {
  const adapter = new WebSocketClientAdapter(url, RETRY)
  const repo = new Repo({ ...config, network: [adapter] })
  t.teardown(() => {
    adapter.connect = () => {} // a reconnect that is already due would go on for ever
    const socket = adapter.socket as NodeJS.EventEmitter | undefined
    socket?.on('error', () => {}) // closing it while it connects is one
    if (socket !== undefined) adapter.disconnect()
  })
  return { repo, adapter, whenConnected: async () => { await repo.networkSubsystem.whenReady() } }
}

/** Waits until a condition holds; the test's own time limit is the only one. */
export async function until (holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise(resolve => setTimeout(resolve, 10))
}

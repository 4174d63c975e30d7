import type { Test } from 'tap'
import * as One from 'automerge-repo-1'
import * as OneWebSocket from 'automerge-repo-network-websocket-1'
import * as Two from '@automerge/automerge-repo'
import * as TwoWebSocket from '@automerge/automerge-repo-network-websocket'

export interface Fields { [key: string]: unknown }

/** A document at a client, in the same words for every generation. */
export interface Opened {
  url: string
  read (): Fields
  change (fields: Fields): void
  broadcast (message: unknown): void
  onMessage (listener: (message: unknown) => void): void
}

export interface GenerationClient { create (fields: Fields): Opened, find (url: string): Promise<Opened> }

/** What is the same in all of them. */
interface Handle {
  url: string
  change (callback: (doc: Fields) => void): void
  broadcast (message: unknown): void
  on (event: 'ephemeral-message', listener: (payload: { message: unknown }) => void): unknown
}

interface Adapter {
  retryInterval: number
  socket?: unknown
  on: (event: 'peer-candidate', listener: () => void) => unknown
}

const opened = (handle: Handle, read: () => Fields | undefined): Opened => ({
  url: handle.url,
  read: () => JSON.parse(JSON.stringify(read())), // without what Automerge adds to it
  change (fields) { handle.change(doc => { Object.assign(doc, fields) }) },
  broadcast (message) { handle.broadcast(message) },
  onMessage (listener) { handle.on('ephemeral-message', ({ message }) => { listener(message) }) }
})

/** Connects once; what would try again for ever cannot be ended in the oldest. */
function endWith (t: Test, adapter: Adapter): void {
  adapter.on('peer-candidate', () => { adapter.retryInterval = 0 })
  t.teardown(() => { (adapter.socket as { close: () => void }).close() })
}

/** Clients of a generation, by its version. */
export type Generation = (t: Test, url: string) => GenerationClient

const one: Generation = (t, url) => {
  const adapter = new OneWebSocket.BrowserWebSocketClientAdapter(url, 100)
  endWith(t, adapter)
  const repo = new One.Repo({ network: [adapter as never] }) // whose own copy of automerge-repo is another
  const wrap = (handle: One.DocHandle<Fields>): Opened => opened(handle as Handle, () => handle.docSync())
  return {
    create: fields => wrap(repo.create<Fields>(fields)),
    async find (url) {
      const handle = repo.find<Fields>(url as One.AutomergeUrl)
      await handle.whenReady()
      return wrap(handle)
    }
  }
}

function later (
  t: Test,
  url: string,
  { Repo }: Pick<typeof Two, 'Repo'>,
  { WebSocketClientAdapter }: Pick<typeof TwoWebSocket, 'WebSocketClientAdapter'>
): GenerationClient {
  const adapter = new WebSocketClientAdapter(url, 100)
  endWith(t, adapter)
  const repo = new Repo({ network: [adapter] })
  const wrap = (handle: Two.DocHandle<Fields>): Opened => opened(handle, () => handle.doc())
  return {
    create: fields => wrap(repo.create<Fields>(fields)),
    find: async url => wrap(await repo.find<Fields>(url as Two.AutomergeUrl))
  }
}

const two: Generation = (t, url) => later(t, url, Two, TwoWebSocket)

/** The newest needs a newer Node than the relay does. */
async function newest (): Promise<Record<string, Generation>> {
  if (Number(process.versions.node.split('.')[0]) < 22) return {}
  const repo = await import('automerge-repo-alpha')
  const webSocket = await import('automerge-repo-network-websocket-alpha')
  return { '2.6.0-alpha.3': (t, url) => later(t, url, repo as never, webSocket as never) }
}

export const generations: Record<string, Generation> = { '1.2.1': one, '2.5.6': two, ...await newest() }

import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { Repo, type AutomergeUrl } from '@automerge/automerge-repo'
import { WebSocketClientAdapter } from '@automerge/automerge-repo-network-websocket'
import relay, { type RelayOptions } from '../app.ts'
import { scratch } from './scratch.ts'

export interface Running { app: FastifyInstance, http: string, ws: string, storage: string, close: () => Promise<void> }

/** A Fastify server on a free port; closed with the test. */
export async function listen (t: Test, app: FastifyInstance): Promise<{ http: string, ws: string, close: () => Promise<void> }> {
  const close = async () => { await app.close() }
  t.teardown(close)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { http: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}`, close }
}

/** A relay embedded in a bare host, on real sockets. */
export async function start (t: Test, options: RelayOptions & { prefix?: string } = {}): Promise<Running> {
  const storage = options.storage ?? await scratch(t)
  const app = Fastify()
  app.register(relay, { ...options, storage })
  return { app, storage, ...await listen(t, app) }
}

/** A real automerge-repo client. */
export function client (t: Test, url: string): Repo {
  const adapter = new WebSocketClientAdapter(url, 100)
  const repo = new Repo({ network: [adapter] })
  t.teardown(() => {
    adapter.connect = () => {} // a reconnect that is already due would go on for ever
    const socket = adapter.socket as NodeJS.EventEmitter | undefined
    socket?.on('error', () => {}) // closing it while it connects is one
    if (socket !== undefined) adapter.disconnect()
  })
  return repo
}

export const urlOf = (id: string): AutomergeUrl => `automerge:${id}` as AutomergeUrl

/** Waits until a condition holds; the test's own time limit is the only one. */
export async function until (holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!await holds()) await new Promise(resolve => setTimeout(resolve, 10))
}

export const FIXTURES = '../shared/fixtures'
export const noFixtures = existsSync(FIXTURES) ? false : `no ${FIXTURES} here`
export const bundleFixtures = async (): Promise<string[]> => (await readdir(`${FIXTURES}/tonk`)).filter(name => name.endsWith('.tonk')).map(name => `${FIXTURES}/tonk/${name}`)

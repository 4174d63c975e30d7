import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { AutomergeUrl, Repo } from '@automerge/automerge-repo'
import relay, { type RelayOptions } from '../app.ts'
import { connect, until } from './client.ts'
import { scratch } from './scratch.ts'

export { until }

export interface Running { app: FastifyInstance, http: string, ws: string, storage: string, close: () => Promise<void> }

/** A Fastify server on a free port; closed with the test. */
export async function listen (
  t: Test, app: FastifyInstance
): Promise<{ http: string, ws: string, close: () => Promise<void> }> {
  const close = async () => { await app.close() }
  t.teardown(close)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  return { http: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}`, close }
}

/** A relay embedded in a bare host, on real sockets. */
export async function start (t: Test, options: RelayOptions & { prefix?: string } = {}): Promise<Running> {
  const given = options.storage ?? await scratch(t)
  const app = Fastify()
  app.register(relay, { ...options, storage: given })
  const server = await listen(t, app)
  await settled(`${server.http}${options.prefix ?? ''}`)
  const storage = typeof given === 'string' ? given : 'adapter' in given ? given.folder ?? '' : ''
  return { app, storage, ...server }
}

/** Waits until the bundle given at the start is merged, or cannot be: nothing of a start is under way any more. */
export async function settled (http: string): Promise<void> {
  await until(async () => {
    const { checks } = await (await fetch(`${http}/health/ready`)).json() as { checks: { served: { reason?: string } } }
    return checks.served.reason !== 'RELAY_NOT_READY'
  })
}

/** A real automerge-repo client. */
export const client = (t: Test, url: string): Repo => connect(t, url).repo

export const urlOf = (id: string): AutomergeUrl => `automerge:${id}` as AutomergeUrl

export const FIXTURES = '../shared/fixtures'
export const noFixtures = existsSync(FIXTURES) ? false : `no ${FIXTURES} here`
export const bundleFixtures = async (): Promise<string[]> =>
  (await readdir(`${FIXTURES}/tonk`)).filter(name => name.endsWith('.tonk')).map(name => `${FIXTURES}/tonk/${name}`)

import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { WebSocketServer } from 'ws'
import type { DocHandle } from '@automerge/automerge-repo'
import { AutomergePool } from '../../../lib/automerge/workers/pool.ts'
import { RelayError } from '../../../lib/errors.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { Limits } from '../../../lib/limits/limits.ts'
import type { LimitsSettings } from '../../../lib/limits/options.ts'
import { silent } from '../../../lib/log.ts'
import { parseOptions } from '../../../lib/options.ts'
import { Documents } from '../../../lib/storage/stored-documents.ts'
import type { FallbackCause, Forward } from '../../../lib/sync/context.ts'
import { RelayEngine } from '../../../lib/sync/relay-engine.ts'
import { Sockets } from '../../../lib/websocket/sockets.ts'
import { scratch } from '../../scratch.ts'

export { connect as client, until } from '../../client.ts'

export interface Recorded {
  in: string[]
  out: string[]
  latencies: number[]
  refused: RelayError['code'][]
  fallbacks: FallbackCause[]
  withheld: number
}

/** The engine on real sockets: a bare `ws` server on a free port. */
export async function serve (
  t: Test,
  {
    folder = '',
    port = 0,
    maxBacklog = 1e8,
    handshakeTimeout = 30_000,
    idleTimeout = 60_000,
    maxFrame = 1e7,
    pingInterval = 5_000,
    forward = 'stored' as Forward,
    maxMessage = Infinity,
    limits: some = {} as Partial<LimitsSettings>
  } = {}
) {
  folder ||= await scratch(t)
  const automerge = new AutomergePool()
  const documents = new Documents({ folder, durability: 'fsync', automerge, log: silent })
  await documents.open()
  const limits = new Limits(parseOptions({ limits: some }).limits, silent)
  const seen: Recorded = { in: [], out: [], latencies: [], refused: [], fallbacks: [], withheld: 0 }
  const engine = new RelayEngine({
    documents,
    automerge,
    forward,
    log: silent,
    quotas: limits,
    limits: { maxBacklog, handshakeTimeout, idleTimeout },
    meter: {
      messageIn: type => { seen.in.push(type) },
      messageOut: type => { seen.out.push(type) },
      syncLatency: seconds => { seen.latencies.push(seconds) },
      refused: code => { seen.refused.push(code) },
      fallback: cause => { seen.fallbacks.push(cause) },
      withheld: () => { seen.withheld++ }
    }
  })
  const sockets = new Sockets(
    engine, { maxFrame, pingInterval, closeTimeout: 300, drainDelay: 0, drainWindow: 0 }, limits
  )
  const server = new WebSocketServer({ port, host: '127.0.0.1' })
  server.on('connection', (socket, request) => {
    sockets.accept(socket, request.socket, {
      address: request.socket.remoteAddress!, principal: 'anonymous', maxMessage
    })
  })
  await new Promise(resolve => server.once('listening', resolve))
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await sockets.close()
    await new Promise(resolve => server.close(resolve))
    await engine.close()
    await documents.close()
    await automerge.close()
    limits.close()
  }
  t.teardown(close)
  const address = server.address() as AddressInfo
  return {
    engine, limits, sockets, documents, folder, seen, close, port: address.port, url: `ws://127.0.0.1:${address.port}/`
  }
}

export const idOf = (handle: DocHandle<unknown>): DocumentId => handle.documentId as string as DocumentId

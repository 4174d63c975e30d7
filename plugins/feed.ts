import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { WebSocket } from 'ws'
import type { Feed } from '../lib/feed/feed.ts'
import { registerFeedMetrics } from '../lib/feed/metrics.ts'
import { openFeed } from '../lib/feed/open.ts'
import type { Dial, End } from '../lib/feed/source/dial.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { feed: Feed }
}

const LONGEST_REFUSAL = 4_096 // bytes of an answer in place of an upgrade that are read

/** WebSockets of `ws`: Node's own cannot be paused. */
export const dial: Dial = (url, { headers, maxPayload, timeout }, listener) => {
  let end: End | undefined
  let date = NaN
  // compression of its own is refused beside zstd, and costs more than it saves without
  const socket = new WebSocket(url, {
    headers, maxPayload, handshakeTimeout: timeout, perMessageDeflate: false, followRedirects: true
  })
  socket.on('upgrade', ({ headers }) => { date = Date.parse(headers.date ?? '') })
  socket.on('open', () => { listener.opened(Number.isNaN(date) ? undefined : date) })
  socket.on('message', (data, isBinary) => { listener.message(data as Buffer, isBinary) })
  socket.on('pong', () => { listener.pong() })
  socket.on('error', error => { end ??= { reason: error.message } })
  socket.on('close', (code, reason) => {
    // 1005 and 1006 are never sent: there was no code, or no closing handshake
    listener.closed(
      end ??
        { code: code === 1005 || code === 1006 ? undefined : code, reason: reason.toString() || 'the connection broke' }
    )
  })
  socket.on('unexpected-response', (_request, response) => {
    let body = ''
    const finish = (): void => {
      end ??= { refusal: { status: response.statusCode!, body }, reason: 'refused' }
      socket.terminate()
    }
    response.setEncoding('utf8').on('data', (text: string) => {
      body += text
      if (body.length > LONGEST_REFUSAL) response.destroy()
    })
    response.once('close', finish)
  })
  return {
    send (text) { socket.send(text) },
    ping () { socket.ping() },
    pause () { socket.pause() },
    resume () { socket.resume() },
    terminate () { socket.terminate() }
  }
}

/** Bluesky's event stream, recorded and handed on. It begins once the relay is ready. */
async function feed (fastify: FastifyInstance, options: Options): Promise<void> {
  const { access, health, log, metrics, storage, sync } = fastify
  const settings = options.feed!
  const { folder } = storage
  const feed = await openFeed({
    settings,
    storage: folder,
    durability: options.durability,
    dial,
    s3: options.s3,
    host: sync,
    isControlled: !access.isOpen,
    log
  })
  fastify.decorate('feed', feed)
  metrics.include(registry => { registerFeedMetrics(feed, registry) })
  if (settings.required) {
    health.add('feed', () => {
      const [problem] = feed.problems
      if (problem !== undefined) throw new Error(problem)
    })
  }
  fastify.addHook('onReady', async () => { feed.start() })
  fastify.addHook('onClose', async () => { await feed.close() })
}

export default fp(feed, {
  name: 'relay-feed',
  fastify: '5.x',
  dependencies: ['relay-metrics', 'relay-storage', 'relay-sync', 'relay-access', 'relay-health']
})

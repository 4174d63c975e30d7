import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'
import { RelayError } from '../lib/errors.ts'
import { ANONYMOUS } from '../lib/access/identity/principal.ts'
import { healthOf, metricsText, statsOf } from '../lib/feed/compatible/answers.ts'
import { shown } from '../lib/feed/consumers/consumer.ts'
import { pump } from '../lib/feed/consumers/pump.ts'
import { SocketChannel } from '../lib/feed/consumers/socket-channel.ts'
import { turboText } from '../lib/feed/shape/turbo.ts'
import type { Row } from '../lib/feed/store/schema.ts'
import { recordOf } from '../lib/feed/store/row.ts'
import type { Options } from '../lib/options.ts'

const READ = { access: ['feed:read'] } as const
const PUBLIC = { access: 'public', unlimited: true } as const
const tags = ['Feed']
const json = (description: string) => ({ description, content: { 'application/json': { schema: {} } } })
const about = (summary: string, answers: object) => ({ schema: { tags, summary, response: answers } })

/** The routes of the Rust program jetstream-turbo, for what is made for it. */
async function compatibleRoutes (fastify: FastifyInstance, options: Options): Promise<void> {
  if (!options.feed!.compatible) return
  const { access, feed, limits, sockets } = fastify

  fastify.get('/api/v1/health', {
    ...about('Whether the feed is well, as jetstream-turbo says it', { 200: json('It is'), 503: json('It is not') }),
    config: PUBLIC
  }, async (_request, reply) => {
    const data = healthOf(feed)
    return await reply.code(data.healthy ? 200 : 503).header('cache-control', 'no-store')
      .send({ status: data.healthy ? 'healthy' : 'unhealthy', data })
  })

  fastify.get('/ready', {
    ...about('Whether the feed is well, without a body', {
      200: { type: 'null', description: 'It is' }, 503: { type: 'null', description: 'It is not' }
    }),
    config: PUBLIC
  }, async (_request, reply) => {
    return await reply.code(feed.problems.length === 0 ? 200 : 503).header('cache-control', 'no-store').send()
  })

  fastify.get('/api/v1/stats', {
    ...about('Figures of the feed, as jetstream-turbo names them', { 200: json('Records, and hits of the caches') }),
    config: READ
  }, async (_request, reply) => {
    return await reply.header('cache-control', 'no-store').send({ status: 'success', data: statsOf(feed) })
  })

  fastify.get('/api/v1/metrics', {
    ...about('The same for Prometheus', {
      200: { description: 'Gauges', content: { 'text/plain': { schema: Type.String() } } }
    }),
    config: READ
  }, async (_request, reply) => {
    return await reply.header('cache-control', 'no-store').type('text/plain; version=0.0.4; charset=utf-8')
      .send(metricsText(feed))
  })

  fastify.route({
    method: 'GET',
    url: '/api/v1/ws',
    ...about('With `Upgrade: websocket`, records as they come, in the form of jetstream-turbo', {
      101: { type: 'null', description: 'The socket' }
    }),
    config: { ...READ, peers: true },
    handler: async () => { throw new RelayError('RELAY_BAD_REQUEST', 'Ask with Upgrade: websocket') },
    wsHandler: (socket, request) => { serve(new SocketChannel(socket), request) }
  })

  function serve (channel: SocketChannel, request: FastifyRequest): void {
    const isPublic = !access.isOpen && request.principal === ANONYMOUS
    const filter = { collections: [], dids: [], kinds: [], ...isPublic && { visibilities: ['public'] } }
    try {
      const leave = [
        limits.connect(request.source),
        sockets.add(() => { channel.end(new RelayError('RELAY_CLOSING', 'the relay is closing')) })
      ]
      channel.signal.addEventListener('abort', () => { for (const one of leave) one() })
    } catch (error) {
      return channel.end(error as RelayError)
    }
    const textOf = (row: Row): string => turboText(recordOf(shown(row, isPublic)))
    const wish = { after: feed.store.lastNumber, filter, isPublic, textOf }
    pump(feed, channel, wish, channel.signal).catch((error: unknown) => {
      request.log.error({ err: error }, 'a consumer of the feed cannot be served')
      channel.end(new RelayError('RELAY_INTERNAL', 'The records cannot be read'))
    })
  }
}

export default fp(compatibleRoutes, {
  name: 'relay-routes-feed-compatible',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-feed', 'relay-access', 'relay-limits', 'relay-websocket']
})

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'
import { oldestOf, textOfRow, type Wish } from '../lib/feed/consumers/consumer.ts'
import { pump } from '../lib/feed/consumers/pump.ts'
import { SocketChannel } from '../lib/feed/consumers/socket-channel.ts'
import { StreamChannel } from '../lib/feed/consumers/stream-channel.ts'
import { retry } from '../lib/feed/retry.ts'
import { schemas } from '../lib/feed/schemas.ts'
import { statusOf } from '../lib/feed/status.ts'
import type { RecordFilter } from '../lib/feed/store/rows.ts'
import { EventStream } from '../lib/http/event-stream.ts'
import { ANONYMOUS } from '../lib/access/identity/principal.ts'

const READ = { access: ['feed:read'] } as const
const MANAGE = { access: ['feed:manage'] } as const
const JSON_TYPE = 'application/json; charset=utf-8'

interface Asked { collection?: string[], did?: string[], kind?: string[] }

/** The feed over HTTP: how it is, its records as pages and as a stream, its gaps, and what it could not take. */
async function feedRoutes (fastify: FastifyInstance): Promise<void> {
  const { access, feed, limits, requests, sockets } = fastify
  const typed = fastify.withTypeProvider<TypeBoxTypeProvider>()
  // in an open relay everybody is alike
  const isAnybody = ({ principal }: FastifyRequest): boolean => !access.isOpen && principal === ANONYMOUS

  typed.get('/feed/health', {
    schema: schemas.health, config: { access: 'public', unlimited: true }
  }, async (_request, reply) => {
    const isWell = feed.problems.length === 0
    reply.header('cache-control', 'no-store')
    return await reply.code(isWell ? 200 : 503).send({ status: isWell ? 'ok' : 'failing' })
  })

  typed.get('/feed/ready', {
    schema: schemas.health, config: { access: 'public', unlimited: true }
  }, async (_request, reply) => {
    const isReady = feed.source.state === 'connected' && feed.problem === undefined
    reply.header('cache-control', 'no-store')
    return await reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ok' : 'failing' })
  })

  typed.get('/feed/stats', { schema: schemas.stats, config: READ }, async (_request, reply) => {
    return await reply.header('cache-control', 'no-store').type(JSON_TYPE).send(JSON.stringify(statusOf(feed)))
  })

  typed.get('/feed/gaps', { schema: schemas.gaps, config: READ }, async (_request, reply) => {
    return await reply.header('cache-control', 'no-store').type(JSON_TYPE)
      .send(JSON.stringify({ gaps: feed.gaps.list }))
  })

  typed.get('/feed/records', { schema: schemas.records, config: READ }, async (request, reply) => {
    const { after: from, limit } = request.query
    const filter = filterOf(request.query, isAnybody(request))
    const after = from ?? oldestOf(feed)
    if (after < oldestOf(feed)) return await gone(reply, oldestOf(feed))
    const { rows, next } = await feed.store.rows.page(after, limit, filter)
    const texts = rows.map(row => textOfRow(row, isAnybody(request)))
    reply.header('cache-control', 'no-store').type(JSON_TYPE)
    return await reply.send(`{"records":[${texts.join(',')}],"next":${next},"last":${feed.store.lastNumber}}`)
  })

  const eventsAsked = (request: FastifyRequest): { wish: Wish, isGone: boolean } => {
    const { after: from, ...asked } = request.query as Asked & { after?: number }
    const known = request.headers['last-event-id']
    if (known !== undefined && !/^\d{1,15}$/.test(String(known))) {
      throw new RelayError('RELAY_BAD_REQUEST', 'Last-Event-ID must be the number of a record')
    }
    const after = known === undefined ? from ?? feed.store.lastNumber : Number(known)
    const isPublic = isAnybody(request)
    return { wish: { after, filter: filterOf(asked, isPublic), isPublic }, isGone: after < oldestOf(feed) }
  }

  /**
   * Ends a consumer's connection when whoever it is may not read any more.
   * @returns what is to be called when it has ended
   */
  const watch = (request: FastifyRequest, refuse: (error: RelayError) => void): () => void => {
    const session = access.session(request.credentials(), request.principal)
    session?.attach({
      refuse,
      reassess () { access.require(request.principal, 'feed:read').catch(refuse) }
    })
    return () => session?.detach()
  }

  typed.route({
    method: 'GET',
    url: '/feed/events',
    schema: schemas.events,
    config: { ...READ, peers: true },
    preHandler: async (request, reply) => {
      if (eventsAsked(request).isGone) return await gone(reply, oldestOf(feed))
    },
    handler: async (request, reply) => {
      const { wish } = eventsAsked(request)
      reply.headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
        .type('text/event-stream; charset=utf-8')
      const stream = new EventStream().once('close', limits.connect(request.source))
      stream.once('close', requests.endless(() => { stream.end('closing', '{}') })).greet()
      const leave = watch(request, ({ message, code }) => {
        stream.end('end', JSON.stringify({ error: message, code }))
      })
      const stop = new AbortController()
      stream.once('close', leave).once('close', () => { stop.abort() })
      pump(feed, new StreamChannel(stream), wish, stop.signal)
        .catch((error: unknown) => { stream.destroy(error as Error) })
      return await (reply as FastifyReply).send(stream)
    },
    wsHandler: (socket, request) => {
      const channel = new SocketChannel(socket)
      try {
        const leave = [
          limits.connect(request.source),
          sockets.add(() => { channel.end(new RelayError('RELAY_CLOSING', 'the relay is closing')) }),
          watch(request, error => { channel.end(error) })
        ]
        channel.signal.addEventListener('abort', () => { for (const one of leave) one() })
        pump(feed, channel, eventsAsked(request).wish, channel.signal).catch((error: unknown) => {
          request.log.error({ err: error }, 'a consumer of the feed cannot be served')
          channel.end(new RelayError('RELAY_INTERNAL', 'The records cannot be read'))
        })
      } catch (error) {
        channel.end(error instanceof RelayError
          ? error
          : new RelayError('RELAY_INTERNAL', 'Internal error', { cause: error }))
      }
    }
  })

  typed.post('/feed/seal', { schema: schemas.seal, config: MANAGE }, async (_request, reply) => {
    await feed.store.seal()
    return await reply.type(JSON_TYPE)
      .send(JSON.stringify({ files: feed.store.sealed.length, last: feed.store.sealed.at(-1)?.file ?? null }))
  })

  typed.post('/feed/sinks/:sink/replay', {
    schema: schemas.replay, config: MANAGE
  }, async ({ params, query: { after } }, reply) => {
    const follower = feed.followers.find(({ sink }) => sink.name === params.sink)
    if (follower === undefined) throw new RelayError('RELAY_FEED_SINK_NOT_FOUND', `The feed has no sink ${params.sink}`)
    const { lastNumber } = feed.store
    if (after > lastNumber) {
      throw new RelayError('RELAY_BAD_REQUEST', `after must be at most ${lastNumber}, the number of the last record`)
    }
    const oldest = Math.min(oldestOf(feed), (await feed.archive?.firstNumber() ?? Infinity) - 1)
    if (after < oldest) return await gone(reply, oldest)
    follower.rewind(after)
    return await reply.code(202).type(JSON_TYPE).send(JSON.stringify({ sink: params.sink, after }))
  })

  typed.get('/feed/dead-letters', { schema: schemas.letters, config: MANAGE }, async (_request, reply) => {
    return await reply.header('cache-control', 'no-store').type(JSON_TYPE)
      .send(JSON.stringify({ deadLetters: feed.deadLetters.list }))
  })

  typed.post('/feed/dead-letters/:letter', { schema: schemas.retry, config: MANAGE }, async ({ params }, reply) => {
    const problem = await retry(feed, params.letter)
    return await reply.type(JSON_TYPE).send(JSON.stringify({ done: problem === undefined, problem: problem ?? null }))
  })

  typed.delete('/feed/dead-letters/:letter', { schema: schemas.drop, config: MANAGE }, async ({ params }, reply) => {
    if (feed.deadLetters.get(params.letter) === undefined) {
      throw new RelayError('RELAY_DEAD_LETTER_NOT_FOUND', 'Dead letter not found')
    }
    await feed.deadLetters.remove([params.letter])
    return await reply.code(204).send(null)
  })
}

const filterOf = ({ collection = [], did = [], kind = [] }: Asked, isPublic: boolean): RecordFilter =>
  ({ collections: collection, dids: did, kinds: kind, ...isPublic && { visibilities: ['public'] } })

const gone = async (reply: FastifyReply, oldest: number): Promise<FastifyReply> =>
  await reply.code(410).header('cache-control', 'no-store').type(JSON_TYPE).send(JSON.stringify({
    error: `Records before number ${oldest + 1} are not kept any more`, code: 'RELAY_FEED_CURSOR_GONE', oldest
  }))

export default fp(feedRoutes, {
  name: 'relay-routes-feed',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-feed', 'relay-access', 'relay-limits', 'relay-requests', 'relay-websocket']
})

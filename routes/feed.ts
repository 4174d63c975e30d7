import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from '../lib/errors.ts'
import { follow, oldestOf, textOfRow } from '../lib/feed/consumers/consumer.ts'
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
  const { access, feed, limits, requests } = fastify
  const typed = fastify.withTypeProvider<TypeBoxTypeProvider>()
  // in an open relay everybody is alike
  const isPublic = ({ principal }: FastifyRequest): boolean => !access.isOpen && principal === ANONYMOUS

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
    const filter = filterOf(request.query, isPublic(request))
    const after = from ?? oldestOf(feed)
    if (after < oldestOf(feed)) return await gone(reply, oldestOf(feed))
    const { rows, next } = await feed.store.rows.page(after, limit, filter)
    const texts = rows.map(row => textOfRow(row, isPublic(request)))
    reply.header('cache-control', 'no-store').type(JSON_TYPE)
    return await reply.send(`{"records":[${texts.join(',')}],"next":${next},"last":${feed.store.lastNumber}}`)
  })

  typed.get('/feed/events', { schema: schemas.events, config: READ }, async (request, reply) => {
    const known = request.headers['last-event-id']
    if (known !== undefined && !/^\d{1,15}$/.test(known)) {
      throw new RelayError('RELAY_BAD_REQUEST', 'Last-Event-ID must be the number of a record')
    }
    const after = known === undefined ? request.query.after ?? feed.store.lastNumber : Number(known)
    if (after < oldestOf(feed)) return await gone(reply, oldestOf(feed))
    reply.headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' }).type('text/event-stream; charset=utf-8')
    const stream = new EventStream().once('close', limits.connect(request.source))
    stream.once('close', requests.endless(() => { stream.end('closing', '{}') })).greet()
    // as long as whoever it is may read it
    const session = access.session(request.credentials(), request.principal)
    const refuse = ({ message, code }: RelayError): void => {
      stream.end('end', JSON.stringify({ error: message, code }))
    }
    session?.attach({
      refuse,
      reassess () { access.require(request.principal, 'feed:read').catch(refuse) }
    })
    stream.once('close', () => session?.detach())
    pump(stream, after, filterOf(request.query, isPublic(request)), isPublic(request))
      .catch((error: unknown) => { stream.destroy(error as Error) })
    return await (reply as FastifyReply).send(stream)
  })

  /** Sends records as fast as they are read. */
  async function pump (stream: EventStream, after: number, filter: RecordFilter, isPublic: boolean): Promise<void> {
    const stop = new AbortController()
    let ready = (): void => {}
    stream.onReady = () => { ready() }
    const end = (): void => {
      stop.abort()
      ready()
    }
    stream.once('close', end)
    for await (const told of follow(feed, after, filter, isPublic, stop.signal)) {
      if ('oldest' in told) return stream.end('gone', JSON.stringify(told))
      stream.event('record', told.text, String(told.number))
      if (!stream.isReady) await new Promise<void>(resolve => { ready = resolve })
    }
  }

  typed.post('/feed/seal', { schema: schemas.seal, config: MANAGE }, async (_request, reply) => {
    await feed.store.seal()
    return await reply.type(JSON_TYPE)
      .send(JSON.stringify({ files: feed.store.sealed.length, last: feed.store.sealed.at(-1)?.file ?? null }))
  })

  typed.post('/feed/sinks/:sink/replay', { schema: schemas.replay, config: MANAGE }, async ({ params, query: { after } }, reply) => {
    const follower = feed.followers.find(({ sink }) => sink.name === params.sink)
    if (follower === undefined) throw new RelayError('RELAY_FEED_SINK_NOT_FOUND', `The feed has no sink ${params.sink}`)
    if (after > feed.store.lastNumber) throw new RelayError('RELAY_BAD_REQUEST', `after must be at most ${feed.store.lastNumber}, the number of the last record`)
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
  dependencies: ['relay-feed', 'relay-access', 'relay-limits', 'relay-requests']
})

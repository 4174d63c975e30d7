import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError, codeOf, messageFor, messageOf } from '../lib/errors.ts'

/** What a handler may have said of the answer that is not to be: an error must not be cached or saved in its name. */
const OF_THE_ANSWER = [
  'accept-ranges', 'content-disposition', 'content-encoding', 'content-length', 'content-range', 'etag', 'last-modified'
]

/** Errors of this scope as JSON, paths that do not exist included. */
async function errors (fastify: FastifyInstance): Promise<void> {
  fastify.setErrorHandler(answerError)
  if (ownsUnknownPaths(fastify)) {
    fastify.setNotFoundHandler(async () => { throw new RelayError('RELAY_ROUTE_NOT_FOUND', 'Not found') })
  }
  if (isRoot(fastify)) {
    // Node would refuse other expectations than 100-continue without a word; RFC 9110 section 10.1.1 lets us ignore them
    fastify.server.on('checkExpectation', (request, response) => { fastify.routing(request, response) })
  }
  fastify.addHook('onRequest', async ({ raw }) => {
    // RFC 9112 section 3.2; gets here when the server has `http: { requireHostHeader: false }`, else Node refuses without a word
    if (raw.httpVersion === '1.1' && raw.headers.host === undefined) throw new RelayError('RELAY_BAD_REQUEST', 'The Host header is missing')
  })
}

/** Answers an error; also Fastify's `frameworkErrors`, for requests that reach no route. */
export function answerError (error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const clientIsGone = reply.raw.destroyed
  if (clientIsGone || reply.raw.headersSent) {
    request.log[clientIsGone ? 'info' : 'warn']({ err: error }, 'answer broken off')
    reply.hijack()
    reply.raw.destroy()
    return
  }
  const { status, message, code, retryAfter } = describe(error)
  if (status === 401) reply.header('www-authenticate', 'Bearer') // RFC 6750 section 3
  if (status >= 500 && code !== 'RELAY_OVERLOADED') request.log.error({ err: error }, message)
  for (const name of OF_THE_ANSWER) {
    // a range that cannot be satisfied is answered with the one that could
    if (status === 416 && name === 'content-range') continue
    reply.removeHeader(name)
  }
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  reply.code(status).header('cache-control', 'no-store').type('application/json; charset=utf-8').send({ error: message, code })
}

interface Answer { status: number, message: string, code: string, retryAfter?: number | undefined }

/** What a client is told of an error: what was made for it, and nothing of the others. */
function describe (error: unknown): Answer {
  if (error instanceof RelayError) {
    const { statusCode: status, code, retryAfter } = error
    return { status, message: messageFor(error), code, retryAfter }
  }
  // Fastify's, its plugins' and the host's refusals; 503 is how load is shed
  const status = (error as { statusCode?: unknown } | null | undefined)?.statusCode
  if (typeof status === 'number' && ((status >= 400 && status < 500) || status === 503)) {
    return { status, message: messageOf(error), code: codeOf(error) ?? 'RELAY_BAD_REQUEST' }
  }
  return { status: 500, message: 'Internal server error', code: 'RELAY_INTERNAL' }
}

/** The scope around this one: scopes inherit from each other, and the root from no scope. */
const parentOf = (fastify: FastifyInstance): Partial<FastifyInstance> => Object.getPrototypeOf(fastify)

const isRoot = (fastify: FastifyInstance): boolean => parentOf(fastify).prefix === undefined

/**
 * Whether it is for the relay to say what does not exist: on the root, or below a prefix of its own. A scope without
 * one shares the host's handler, of which there can be only one.
 */
function ownsUnknownPaths (fastify: FastifyInstance): boolean {
  const path = (prefix = '') => prefix.replace(/\/$/, '')
  return isRoot(fastify) || path(parentOf(fastify).prefix) !== path(fastify.prefix)
}

export default fp(errors, { name: 'relay-errors', fastify: '5.x' })

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { describeError, headersToDrop } from '../lib/http/error-answer.ts'

/** Errors of this scope as JSON. */
async function errors (fastify: FastifyInstance): Promise<void> {
  fastify.setErrorHandler(answerError)
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
  const { status, message, code, retryAfter } = describeError(error)
  if (status === 401) reply.header('www-authenticate', 'Bearer') // RFC 6750 section 3
  if (status >= 500 && code !== 'RELAY_OVERLOADED') request.log.error({ err: error }, message)
  for (const name of headersToDrop(status)) reply.removeHeader(name)
  if (retryAfter !== undefined) reply.header('retry-after', retryAfter)
  reply.code(status).header('cache-control', 'no-store').type('application/json; charset=utf-8')
    .send({ error: message, code })
}

export default fp(errors, { name: 'relay-errors', fastify: '5.x' })

import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { select } from '../lib/http/conditional.ts'
import type { Representation } from '../lib/http/representation.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Answers a GET or HEAD with bytes, the part that was asked for, or that they are unchanged; closes them. */
    represent (bytes: Representation): Promise<FastifyReply>
  }
}

/** Conditional and ranged answers. */
async function http (fastify: FastifyInstance): Promise<void> {
  fastify.decorateReply('represent', async function (this: FastifyReply, bytes: Representation) {
    try {
      return answer(this, bytes)
    } finally {
      await bytes.close?.()
    }
  })
}

function answer (reply: FastifyReply, bytes: Representation): FastifyReply {
  const { size, etag, cacheControl = 'no-cache' } = bytes
  const { headers, method } = reply.request
  reply.headers({ etag, 'accept-ranges': 'bytes', 'cache-control': cacheControl, 'content-range': `bytes */${size}` })
  const selection = select(headers, etag, size)
  reply.removeHeader('content-range')
  if (selection.status === 304) return reply.code(304).send()
  const { start, end } = selection.status === 206 ? selection.range : { start: 0, end: size }
  if (selection.status === 206) reply.code(206).header('content-range', `bytes ${start}-${end - 1}/${size}`)
  reply.header('content-length', end - start)
  // for a HEAD without a body Fastify would say content-length 0
  return reply.send(method === 'HEAD' ? Readable.from([]) : bytes.stream({ start, end }))
}

export default fp(http, { name: 'relay-http', fastify: '5.x' })

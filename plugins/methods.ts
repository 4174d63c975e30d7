import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Methods } from '../lib/http/methods.ts'

declare module 'fastify' {
  interface FastifyInstance { methods: Methods }
}

/** Takes down which methods the relay's routes have: those that say who may use them. */
async function methods (fastify: FastifyInstance): Promise<void> {
  const methods = new Methods()
  fastify.decorate('methods', methods)
  fastify.addHook('onRoute', function ({ url, method, config }) {
    const isOwn = this.methods === methods // not of another relay inside this one's scope
    if (!isOwn || config?.access === undefined || config.refuses === true) return
    const path = url.slice(fastify.prefix.length) || '/' // Fastify makes `/prefix` and `/prefix/` one
    methods.declare(path, [method].flat())
  })
}

export default fp(methods, { name: 'relay-methods', fastify: '5.x' })

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'

/** The WASM of Tonk's client. */
async function wasmRoutes (fastify: FastifyInstance): Promise<void> {
  const { wasm } = fastify
  fastify.get('/tonk_core_bg.wasm', { config: { access: 'public' } }, async (_request, reply) => {
    const file = await wasm.open()
    return await reply.type('application/wasm').represent(file)
  })
}

export default fp(wasmRoutes, { name: 'relay-routes-wasm', fastify: '5.x', encapsulate: true, dependencies: ['relay-http', 'relay-wasm'] })

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { conditionalHeaders, represented } from '../lib/openapi/bytes.ts'
import { refusals } from '../lib/openapi/responses.ts'

const TYPE = 'application/wasm'

const schema = {
  tags: ['Bundles'],
  summary: 'The WASM of Tonk’s client',
  headers: conditionalHeaders,
  response: { ...represented(TYPE, 'The file'), ...refusals('RELAY_FILE_NOT_FOUND', 'RELAY_STORAGE_FAILED') }
}

/** The WASM of Tonk's client. */
async function wasmRoutes (fastify: FastifyInstance): Promise<void> {
  const { wasm } = fastify
  fastify.get('/tonk_core_bg.wasm', { schema, config: { access: 'public' } }, async (_request, reply) => {
    const file = await wasm.open()
    return await reply.type(TYPE).represent(file)
  })
}

export default fp(wasmRoutes, {
  name: 'relay-routes-wasm',
  fastify: '5.x',
  encapsulate: true,
  dependencies: ['relay-http', 'relay-wasm', 'relay-openapi']
})

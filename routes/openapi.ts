import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'

const schema = {
  tags: ['Operations'],
  summary: 'This description of the relay: OpenAPI 3.1',
  response: { 200: { description: 'The document', content: { 'application/json': { schema: { type: 'object' } } } } }
}

/** What there is to ask of the relay: for programs, and as a page for people. It tells nothing of what is stored. */
async function openapiRoutes (fastify: FastifyInstance, { openapiUi }: Options): Promise<void> {
  const { openapi } = fastify

  fastify.get('/openapi.json', { schema, config: { access: 'public' } }, async (_request, reply) =>
    reply.type('application/json; charset=utf-8').header('cache-control', 'no-cache').send(await openapi.document()))

  if (!openapiUi) return
  for (const url of ['/docs', '/docs/*']) {
    fastify.get(url, { schema: { hide: true }, config: { access: 'public' } }, async (request, reply) => {
      if (/\/docs(\?|$)/i.test(request.url)) {
        return await reply.redirect(request.url.replace(/^[^?]*\/([^/?]+)/, '$1/'), 308)
      } // what it loads is beside it
      const answer = await openapi.page()
      reply.hijack()
      for (const [name, value] of Object.entries(reply.getHeaders())) reply.raw.setHeader(name, value!)
      answer(request.raw, reply.raw)
    })
  }
}

export default fp(openapiRoutes, {
  name: 'relay-routes-openapi', fastify: '5.x', encapsulate: true, dependencies: ['relay-openapi']
})

import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import accepts from 'accepts'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'

const JSON_TYPE = 'application/json'
// offered with their versions: Prometheus asks for them by version
const OPEN_METRICS = ['application/openmetrics-text; version=1.0.0', 'application/openmetrics-text; version=0.0.1']

const schema = {
  tags: ['Operations'],
  summary: 'Figures',
  response: {
    200: {
      description: 'The current metrics, as Prometheus text for clients that prefer text',
      content: {
        'application/json': {
          schema: Type.Object({
            timestamp: Type.Integer(),
            memory: Type.Object({
              rss: Type.Integer(),
              total: Type.Integer(),
              heapTotal: Type.Integer(),
              heapUsed: Type.Integer(),
              external: Type.Integer(),
              arrayBuffers: Type.Integer()
            }),
            connections: Type.Integer(),
            uptime: Type.Number(),
            process: Type.Object({ pid: Type.Integer(), version: Type.String(), platform: Type.String() })
          })
        },
        'text/plain': { schema: Type.String() },
        'application/openmetrics-text': { schema: Type.String() }
      }
    }
  }
}

/** The relay's figures: JSON as Tonk's tools read it, or Prometheus's text. */
async function metricsRoutes (fastify: FastifyInstance): Promise<void> {
  const { metrics } = fastify
  const offered = [JSON_TYPE, metrics.contentType, ...OPEN_METRICS]

  fastify.withTypeProvider<TypeBoxTypeProvider>()
    .get('/metrics', { schema, config: { access: ['metrics:read'], unlimited: true } }, async (request, reply) => {
      const vary = reply.getHeader('vary')
      reply.headers({ 'cache-control': 'no-store', vary: vary === undefined ? 'Accept' : `${vary}, Accept` })
      const preferred = accepts(request.raw).types(offered)
      if (preferred === JSON_TYPE || preferred === false) {
        return reply.type(`${JSON_TYPE}; charset=utf-8`).send(metrics.json())
      }
      return reply.type(metrics.contentType).send(await metrics.text())
    })
}

export default fp(metricsRoutes, {
  name: 'relay-routes-metrics', fastify: '5.x', encapsulate: true, dependencies: ['relay-metrics', 'relay-openapi']
})

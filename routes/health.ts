import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Type } from 'typebox'

const report = (description: string) => Type.Object({
  status: Type.Union([Type.Literal('ok'), Type.Literal('failing')]),
  checks: Type.Record(Type.String(), Type.Object({
    status: Type.Union([Type.Literal('ok'), Type.Literal('failing')]),
    reason: Type.Optional(Type.String())
  }))
}, { description })

const tags = ['Operations']

const live = {
  tags,
  summary: 'Liveness: the process responds',
  response: { 200: Type.Object({ status: Type.Literal('ok') }, { description: 'The process responds' }) }
}
const ready = {
  tags,
  summary: 'Readiness: the relay can serve its clients',
  response: { 200: report('Everything works'), 503: report('Something does not; each check says what') }
}

/**
 * For whoever starts, watches and balances relays. Open to all, as they carry no token; asked every second, so not
 * logged.
 */
async function healthRoutes (fastify: FastifyInstance): Promise<void> {
  const { health } = fastify
  const typed = fastify.withTypeProvider<TypeBoxTypeProvider>()

  typed.get('/health/live', {
    schema: live, logLevel: 'warn', config: { access: 'public', unlimited: true }
  }, async (_request, reply) =>
    reply.header('cache-control', 'no-store').send({ status: 'ok' as const }))

  typed.get('/health/ready', {
    schema: ready, logLevel: 'warn', config: { access: 'public', unlimited: true }
  }, async (_request, reply) => {
    const report = await health.report()
    return reply.code(report.status === 'ok' ? 200 : 503).header('cache-control', 'no-store').send(report)
  })
}

export default fp(healthRoutes, {
  name: 'relay-routes-health', fastify: '5.x', encapsulate: true, dependencies: ['relay-health', 'relay-openapi']
})

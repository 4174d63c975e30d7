import Fastify, { type FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import errors from '../../plugins/errors.ts'
import notFound from '../../plugins/not-found.ts'

async function relay (fastify: FastifyInstance): Promise<void> {
  await fastify.register(errors)
  await fastify.register(notFound)
  fastify.get('/ok', async () => 'ok')
}

t.test('unknown paths', async t => {
  const notFound = { error: 'Not found', code: 'RELAY_ROUTE_NOT_FOUND' }
  const host = { error: 'The host does not know' }
  const hosts = async (app: FastifyInstance) => {
    app.setNotFoundHandler(async (_request, reply) => reply.code(404).send(host))
  }
  const ask = async (t: Test, app: FastifyInstance, expected: Record<string, object>) => {
    t.teardown(() => app.close())
    for (const [url, body] of Object.entries(expected)) {
      for (const method of ['GET', 'POST', 'OPTIONS', 'PROPFIND'] as const) {
        const response = await app.inject({ method: method as 'GET', url })
        t.match([response.statusCode, response.json()], [404, body], `${method} ${url}`)
      }
    }
  }

  await t.test('standalone', async t => {
    const app = Fastify()
    await relay(app)
    await ask(t, app, { '/': notFound, '/nope': notFound, '/ok/': notFound })
  })

  await t.test('under a prefix', async t => {
    const app = Fastify()
    await app.register(relay, { prefix: '/a' })
    await app.register(relay, { prefix: '/b/' })
    await hosts(app)
    await ask(t, app, { '/a': notFound, '/a/nope': notFound, '/b/nope': notFound, '/nope': host, '/abc': host })
  })

  await t.test('without a prefix they are the host’s, whose handler comes before, after, or never', async t => {
    for (const prefix of ['', '/']) {
      const before = Fastify()
      await hosts(before)
      await before.register(relay, { prefix })
      await ask(t, before, { '/nope': host })

      const after = Fastify()
      await after.register(relay, { prefix })
      await hosts(after)
      await ask(t, after, { '/nope': host })
    }
    const app = Fastify()
    await app.register(relay)
    await ask(t, app, { '/nope': { error: 'Not Found' } })
  })

  await t.test('the same inside a part of the host that has a prefix', async t => {
    const app = Fastify()
    await app.register(async part => {
      await part.register(relay)
      await part.register(relay, { prefix: '/own' })
      await hosts(part)
    }, { prefix: '/part' })
    await ask(t, app, { '/part/nope': host, '/part/own/nope': notFound })
  })
})

import Fastify, { type FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import tunnel, { type TunnelPluginOptions } from '../../../tunnel.ts'

export const TOKEN = 'secret'

/** A server with a tunnel; gives its address. */
export async function serve (
  t: Test, options: TunnelPluginOptions = {}, prepare: (app: FastifyInstance) => void = () => {}
): Promise<{ app: FastifyInstance, url: string }> {
  const app = Fastify()
  prepare(app)
  await app.register(tunnel, { tokens: [TOKEN], ...options })
  t.teardown(async () => {
    app.server.closeAllConnections()
    await app.close()
  })
  return { app, url: await app.listen({ port: 0, host: '127.0.0.1' }) }
}

/** The body of an answer. */
interface Body { ok: boolean, result?: unknown, error?: { code: string, message: string, details?: unknown } }

/** Calls a task with JSON. */
export async function call (
  url: string, id: string, body: unknown = {}, headers: Record<string, string> = {}
): Promise<{ status: number, body: Body, headers: Headers }> {
  const response = await fetch(`${url}/__runner/task/${id}`, {
    method: 'POST', headers: { 'x-runner-token': TOKEN, ...headers }, body: JSON.stringify(body)
  })
  return { status: response.status, body: await response.json() as never, headers: response.headers }
}

/** Whatever it was that closed it. */
export const closed = async (emitter: NodeJS.EventEmitter): Promise<void> => {
  await new Promise<void>(resolve => { emitter.once('close', resolve) })
}

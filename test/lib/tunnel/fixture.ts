import type { AddressInfo } from 'node:net'
import { Readable, type Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import Fastify from 'fastify'
import type { Test } from 'tap'
import tunnel, { createTunnelServer, type InputFile, type Tunnel, type TunnelPluginOptions } from '../../../tunnel.ts'
import { runner } from './runner.ts'

// The tasks and events that the recorded exchanges were made with, here and in the package that recorded them.

export const TOKEN = 'dev-secret'

interface UploadInput {
  file: Pick<InputFile, 'name' | 'type'> & { resolve (): Promise<{ stream: Readable }> }
  note?: string
}

const echo = async (input: unknown) => input
const types = async () => ({ d: new Date(0), re: /x/i, m: new Map([[1, 2]]), s: new Set(['a']) })
const streamOut = async () => ({
  stream: Readable.from([Buffer.from('chunk-1;'), Buffer.from('chunk-2')]),
  contentType: 'text/plain',
  headers: { 'x-extra': '1' }
})
const add = async ({ a, b }: { a: number, b: number }) => a + b
const slow = async () => { await new Promise(resolve => setTimeout(resolve, 300)) }

async function upload (input: UploadInput) {
  const { file, note } = input
  const { stream } = await file.resolve()
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  return { name: file.name, type: file.type, bytes: bytes.length, text: bytes.toString(), note }
}

const fail = async () => { throw new Error('secret db password=123') }
const QUOTA = { message: 'quota exceeded', code: 'Q1', limit: 5 }

const TASKS = [
  'add', 'echo', 'types', 'upload', 'duplex', 'streamOut', 'fail', 'failTyped', 'slow', 'a/b c', 'whoami'
] as const

export function offer (tunnel: Pick<Tunnel, 'registerTask' | 'registerEvent' | 'defineError' | 'defineContext'>): void {
  const quota = tunnel.defineError<typeof QUOTA>('app.errors.quota')
  const tenant = tunnel.defineContext('app.ctx.tenant')
  tunnel.registerTask('app.tasks.add', add)
  tunnel.registerTask('app.tasks.echo', echo)
  tunnel.registerTask('app.tasks.types', types)
  tunnel.registerTask('app.tasks.upload', upload)
  tunnel.registerTask('app.tasks.duplex', async (_input, { request, response }) => {
    await pipeline(request, response)
  })
  tunnel.registerTask('app.tasks.streamOut', streamOut)
  tunnel.registerTask('app.tasks.fail', fail)
  tunnel.registerTask('app.tasks.failTyped', async () => quota.throw(QUOTA))
  tunnel.registerTask('app.tasks.slow', slow)
  tunnel.registerTask('app.tasks.a/b c', async () => 'slash')
  tunnel.registerTask('app.tasks.whoami', async () => tenant.use() ?? null)
  tunnel.registerTask('app.tasks.hidden', { exposed: false }, echo)
  tunnel.registerEvent('app.events.notify', (payload: { seen?: boolean } | undefined) => {
    if (typeof payload === 'object') payload.seen = true
  })
  tunnel.registerEvent('app.events.par', { parallel: true }, () => {})
}

/** Our plugin in a Fastify server; gives its address. */
export async function plugged (t: Test, options: TunnelPluginOptions = {}): Promise<string> {
  const app = Fastify()
  await app.register(tunnel, { tokens: [TOKEN], ...options })
  offer(app.tunnel)
  t.teardown(async () => { await app.close() })
  return await app.listen({ port: 0, host: '127.0.0.1' })
}

/** Our server that is nothing but a tunnel. */
export async function alone (
  t: Test, options: Partial<Parameters<typeof createTunnelServer>[0]> = {}
): Promise<string> {
  const server = createTunnelServer({ port: 0, tokens: [TOKEN], ...options })
  offer(server)
  t.teardown(async () => { await server.close() })
  return await server.listen()
}

/** The package's own server, with the same tasks and events. */
export async function theirs (t: Test): Promise<string> {
  const { r, globals, run, nodeExposure, useExposureContext } = runner()
  const task = (id: string, handle: (input: never) => Promise<unknown>) =>
    r.task(`app.tasks.${id}`).run(handle as never).build()
  const quota = r.error<typeof QUOTA>('app.errors.quota').build()
  const tenant = r.asyncContext<unknown>('app.ctx.tenant').build()
  const notify = r.event<{ seen?: boolean }>('app.events.notify').build()
  const par = r.event('app.events.par').parallel(true).build()
  const seen = r.hook('app.hooks.seen').on(notify).run(async ({ data }) => {
    if (typeof data === 'object') {
      data.seen = true
    }
  }).build()
  const duplex = async () => {
    const { req, res } = useExposureContext()
    await pipeline(req, res as unknown as Duplex)
  }
  const whoami = async () => { try { return tenant.use() } catch { return null } }
  const handlers: Record<typeof TASKS[number], (input: never) => Promise<unknown>> = {
    add,
    echo,
    types,
    upload,
    duplex,
    streamOut,
    fail,
    failTyped: async () => quota.throw(QUOTA),
    slow,
    'a/b c': async () => 'slash',
    whoami
  }
  const exposed = TASKS.map(id => task(id, handlers[id]))
  const allowed = r.resource('app.tunnel').tags([globals.tags.tunnel])
    .init(async () => ({
      mode: 'server' as const,
      transport: 'http' as const,
      tasks: exposed.map(({ id }) => id),
      events: [notify.id, par.id]
    })).build()
  const exposure = nodeExposure.with({ http: { basePath: '/__runner', listen: { port: 0 }, auth: { token: TOKEN } } })
  const app = r.resource('app')
    .register([...exposed, task('hidden', echo), quota, tenant, notify, par, seen, allowed, exposure]).build()
  const running = await run(app, { logs: { printThreshold: null }, shutdownHooks: false, errorBoundary: false })
  const server = running.getResourceValue(nodeExposure).server!
  t.teardown(async () => {
    server.closeAllConnections()
    await running.dispose()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

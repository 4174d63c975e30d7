import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import { RelayError } from './lib/errors.ts'
import { withoutFastifys } from './lib/fastify-names.ts'
import { FastPath } from './lib/tunnel/fast-path.ts'
import { parseTunnelOptions, type TunnelOptions } from './lib/tunnel/options.ts'
import { Tunnel } from './lib/tunnel/tunnel.ts'
import plugin from './plugins/tunnel.ts'
import routes from './routes/tunnel.ts'

export type { Validator } from './lib/tunnel/calls/auth.ts'
export type { Call } from './lib/tunnel/calls/call.ts'
export type { Context, ContextOptions } from './lib/tunnel/calls/contexts.ts'
export { TunnelError, TypedError, type ErrorBody, type TypedErrorOptions } from './lib/tunnel/errors.ts'
export { FastPath } from './lib/tunnel/fast-path.ts'
export { InputFile } from './lib/tunnel/http/input-file.ts'
export type { TunnelOptions } from './lib/tunnel/options.ts'
export { registerTunnelMetrics } from './lib/tunnel/metrics.ts'
export { Serializer, type WireType } from './lib/tunnel/values/serializer.ts'
export type { EventHandler, EventOptions, TaskHandler, TaskOptions } from './lib/tunnel/handlers.ts'
export { Tunnel } from './lib/tunnel/tunnel.ts'

export interface TunnelPluginOptions extends TunnelOptions {
  /**
   * Made with `new FastPath()` and given to Fastify as `serverFactory`: requests reach the tunnel before Fastify sees
   * them.
   */
  fastPath?: FastPath | undefined
  /** One that exists already, to be offered here; the other options were given to it. */
  tunnel?: Tunnel | undefined
}

/** The tunnel by itself, for any Fastify server: `app.register(tunnel, { tokens: ['…'] })`, then `app.tunnel`. */
async function tunnel (fastify: FastifyInstance, options: TunnelPluginOptions): Promise<void> {
  const { fastPath, tunnel, ...own } = options
  await fastify.register(plugin, { fastPath, tunnel: tunnel ?? parseTunnelOptions(withoutFastifys(own)) })
  fastify.register(routes)
}

export default fp(tunnel, { name: 'fastify-automerge-relay-tunnel', fastify: '5.x' })

export interface TunnelServerOptions extends TunnelOptions {
  /** 0 takes a free one */
  port: number
  /** Address to listen on, 127.0.0.1 unless given */
  host?: string
  logger?: FastifyServerOptions['logger']
}

export interface TunnelServer extends Pick<
  Tunnel, 'registerTask' | 'registerEvent' | 'defineError' | 'defineContext' | 'getTaskIds' | 'getEventIds'
> {
  /** Resolves when it can be called; gives its address, without the base path. */
  listen (): Promise<string>
  close (): Promise<void>
}

const LOOPBACK = ['127.0.0.1', '::1', 'localhost']

/**
 * A server of its own for tasks and events. Without tokens and validators it serves whoever is on this machine, but no
 * web pages unless `corsOrigins` names theirs.
 * @throws RelayError RELAY_BAD_OPTION, also for a server that others can reach and everybody could call
 */
export function createTunnelServer (
  { port, host = '127.0.0.1', logger = false, ...options }: TunnelServerOptions
): TunnelServer {
  const fastPath = new FastPath()
  const app = Fastify({ logger, serverFactory: fastPath.serverFactory })
  const settings = parseTunnelOptions({ ...options, ...isForAnybody(options) && forThisMachine(host, options) })
  const tunnel = new Tunnel({ settings, log: app.log })
  app.register(plugin, { tunnel, fastPath })
  app.register(routes)
  app.setNotFoundHandler((request, reply) => {
    reply.hijack()
    tunnel.serve(request.raw, reply.raw)
  })
  return Object.assign(tunnel, {
    listen: () => app.listen({ port, host }),
    close: async () => { await app.close() }
  })
}

const isForAnybody = ({ tokens = [], tokenFile, validators = [], allowAnonymous }: TunnelOptions): boolean =>
  tokens.length + validators.length === 0 && tokenFile === undefined && allowAnonymous !== true

function forThisMachine (host: string, { corsOrigins }: TunnelOptions): TunnelOptions {
  if (!LOOPBACK.includes(host)) {
    throw new RelayError(
      'RELAY_BAD_OPTION', `a tunnel on ${host} needs tokens or validators, or allowAnonymous: everybody could call it`
    )
  }
  // every page in a browser here could send to it; pages say where they are from
  return corsOrigins === undefined
    ? { corsOrigins: [], validators: [({ headers }) => headers.origin === undefined] }
    : { allowAnonymous: true }
}

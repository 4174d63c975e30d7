import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { withoutFastifys } from '../lib/fastify-names.ts'
import type { FastPath } from '../lib/tunnel/fast-path.ts'
import { parseTunnelOptions, type TunnelOptions } from '../lib/tunnel/options.ts'
import { Tunnel } from '../lib/tunnel/tunnel.ts'

export interface TunnelPluginOptions extends TunnelOptions {
  /** Made with `new FastPath()` and given to Fastify as `serverFactory`: requests reach the tunnel before Fastify sees them. */
  fastPath?: FastPath | undefined
  /** One that exists already, to be offered here; the other options were given to it. */
  tunnel?: Tunnel | undefined
}

declare module 'fastify' {
  interface FastifyInstance { tunnel: Tunnel }
}

/** Tasks and events for callers with an HTTP client of `@bluelibs/runner`. */
async function tunnel (fastify: FastifyInstance, options: TunnelPluginOptions): Promise<void> {
  const tunnel = options.tunnel ?? newTunnel(fastify, options)
  fastify.decorate('tunnel', tunnel)
  options.fastPath?.attach(tunnel)
  // a connection is not idle, so not closed, before Node has seen the end of the request that has just been answered
  fastify.addHook('preClose', async () => { await setImmediate() })
  fastify.addHook('onClose', async () => { options.fastPath?.attach(undefined) })
}

function newTunnel ({ prefix, log }: FastifyInstance, options: TunnelPluginOptions): Tunnel {
  const { fastPath, tunnel, ...own } = options
  const settings = parseTunnelOptions(withoutFastifys(own))
  return new Tunnel({ settings: { ...settings, basePath: `${prefix}/${settings.basePath}` }, log })
}

export default fp(tunnel, { name: 'relay-tunnel', fastify: '5.x' })

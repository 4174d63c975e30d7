import { setImmediate } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { FastPath } from '../lib/tunnel/fast-path.ts'
import type { TunnelSettings } from '../lib/tunnel/options.ts'
import { Tunnel } from '../lib/tunnel/tunnel.ts'

export interface TunnelPluginOptions {
  /** Its settings, or one that exists already and is offered here */
  tunnel?: TunnelSettings | Tunnel | undefined
  fastPath?: FastPath | undefined
}

declare module 'fastify' {
  interface FastifyInstance { tunnel: Tunnel }
}

/** Tasks and events for callers with an HTTP client of `@bluelibs/runner`. */
async function tunnel (fastify: FastifyInstance, options: TunnelPluginOptions): Promise<void> {
  const tunnel = options.tunnel instanceof Tunnel ? options.tunnel : newTunnel(fastify, options.tunnel!)
  fastify.decorate('tunnel', tunnel)
  options.fastPath?.attach(tunnel)
  // a connection is not idle, so not closed, before Node has seen the end of the request that has just been answered
  fastify.addHook('preClose', async () => { await setImmediate() })
  fastify.addHook('onClose', async () => { options.fastPath?.attach(undefined) })
}

const newTunnel = ({ prefix, log }: FastifyInstance, settings: TunnelSettings): Tunnel =>
  new Tunnel({ settings: { ...settings, basePath: `${prefix}/${settings.basePath}` }, log })

export default fp(tunnel, { name: 'relay-tunnel', fastify: '5.x' })

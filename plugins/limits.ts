import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { ANONYMOUS } from '../lib/access/identity/principal.ts'
import { RelayError } from '../lib/errors.ts'
import { networkOf } from '../lib/limits/address.ts'
import { Descriptors } from '../lib/limits/descriptors.ts'
import { forwardedAddresses } from '../lib/limits/forwarded.ts'
import { Limits, nameOf, type Client } from '../lib/limits/limits.ts'
import { Load } from '../lib/limits/load.ts'
import { registerLimitsMetrics } from '../lib/limits/metrics.ts'
import { RateWindows } from '../lib/limits/rate-windows.ts'
import type { Options } from '../lib/options.ts'

declare module 'fastify' {
  interface FastifyInstance { limits: Limits }
  interface FastifyRequest {
    /** Whose it is, as far as that is known yet. */
    readonly source: Client
  }
  interface FastifyContextConfig {
    /**
     * It is answered however often it is asked, and when load is shed: it is there for that, or has limits of its own.
     */
    unlimited?: boolean
  }
}

const MINUTE = 60_000

/** Refusals that are told of: others are mistakes, or are logged as errors. */
const TOLD = new Set([401, 403, 413, 429])

/** How much everybody may have: before a body is read, and before a WebSocket is opened. */
async function limits (fastify: FastifyInstance, options: Options): Promise<void> {
  const limits = new Limits(options.limits, fastify.log)
  fastify.decorate('limits', limits)
  fastify.decorateRequest('source', { getter (this: FastifyRequest) { return sourceOf(this) } })
  // before anybody looks who it is from
  fastify.addHook('onRequest', async ({ raw: { headers, socket } }) => {
    const { 'x-forwarded-for': forwarded } = headers
    // that there was one still shows that a proxy has passed it on
    if (forwarded !== undefined) {
      headers['x-forwarded-for'] = forwardedAddresses([forwarded].flat().join(',')) ?? socket.remoteAddress ?? 'local'
    }
  })
  const descriptors = await keepDescriptors(fastify, limits)
  fastify.metrics.include(registry => { registerLimitsMetrics(limits.refusals, descriptors, registry) })
  fastify.addHook('onClose', async () => { limits.close() })
  fastify.addHook('onError', async (request, _reply, error) => {
    if (error instanceof RelayError && (TOLD.has(error.statusCode) || error.code === 'RELAY_OVERLOADED')) {
      limits.refusals.tell(nameOf(request.source), error)
    }
  })

  if (!fastify.hasPlugin('@fastify/under-pressure')) shed(fastify, limits)
  if (!fastify.hasPlugin('@fastify/rate-limit')) await limitRate(fastify, limits)
  fastify.addHook('preValidation', async ({ ws, raw, source }) => {
    if (ws) raw.socket.once('close', limits.connect(source))
  })
}

/** Takes no more connections when the process could open no file after. */
async function keepDescriptors (fastify: FastifyInstance, limits: Limits): Promise<Descriptors> {
  const descriptors = new Descriptors({
    server: fastify.server,
    most: limits.settings.descriptors,
    dropped: reason => {
      limits.refusals.meet('descriptors', 'connections', new RelayError('RELAY_OVERLOADED', reason))
    }
  })
  await descriptors.start()
  fastify.addHook('onListen', async () => { await descriptors.look() })
  fastify.addHook('onClose', async () => { descriptors.close() })
  return descriptors
}

/** Refuses requests and upgrades while the process has too much to do. */
function shed (fastify: FastifyInstance, limits: Limits): void {
  const load = new Load(limits.settings)
  fastify.addHook('onClose', async () => { load.close() })
  fastify.addHook('onRequest', async ({ routeOptions }) => {
    const limit = load.over
    if (limit === undefined || routeOptions.config.unlimited === true) return
    throw limits.met(limit, 'RELAY_OVERLOADED', 'The relay has too much to do at the moment')
  })
}

/** By a hook of the scope, which runs before access is looked at, for paths that are not there too. */
async function limitRate (fastify: FastifyInstance, limits: Limits): Promise<void> {
  const { requestsPerMinute: max } = limits.settings
  await fastify.register(rateLimit, {
    global: false,
    max,
    timeWindow: MINUTE,
    store: RateWindows,
    keyGenerator: ({ ip }) => networkOf(ip),
    allowList: ({ routeOptions }) => routeOptions.config.unlimited === true,
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    errorResponseBuilder: (_request, { after }) =>
      limits.met(
        'requestsPerMinute',
        'RELAY_RATE_LIMITED',
        `More than ${max} requests a minute from your address, try again in ${after}`
      )
  })
  fastify.addHook('onRequest', fastify.rateLimit())
}

function sourceOf ({ ip, principal }: FastifyRequest): Client {
  return {
    address: networkOf(ip), principal: principal === undefined || principal === ANONYMOUS ? undefined : principal.id
  }
}

export default fp(limits, { name: 'relay-limits', fastify: '5.x', dependencies: ['relay-metrics'] })

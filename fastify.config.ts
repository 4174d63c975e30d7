import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet'
import type { FastifyHttpOptions, FastifyInstance, FastifyRequest } from 'fastify'
import relay from './app.ts'
import { withoutToken } from './lib/access/identity/credentials.ts'
import { parseDotenv } from './lib/cli/dotenv.ts'
import { readValues, settle, type Values } from './lib/cli/settings.ts'
import { RelayError, codeOf, messageOf } from './lib/errors.ts'
import { WebSocketRequest } from './lib/http/offers.ts'
import { addressIn } from './lib/limits/forwarded.ts'
import { parseTrustProxy } from './lib/limits/trust-proxy.ts'
import { logStream } from './lib/log-stream.ts'
import type { RelayOptions } from './lib/options.ts'
import { answerError } from './plugins/errors.ts'

// The relay as a service of its own: the entry of `fastify start -o` and of bin/tonk-relay.ts, and the only file that
// reads the environment.

const MINUTE = 60_000

/** Variables already set win over the `.env` file of the current folder, which need not exist. */
function loadDotenv (): void {
  let text
  try {
    text = readFileSync('.env', 'utf8')
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return
    throw new RelayError('RELAY_BAD_OPTION', `.env: ${messageOf(cause)}`, { cause })
  }
  for (const [name, value] of Object.entries(parseDotenv(text))) process.env[name] ??= value
}

loadDotenv()

// variables of the programs that the feed takes after, which mean nothing without one
const { texts, ignored } = process.env['RELAY_FEED'] === 'true'
  ? (await import('./lib/feed/compatible/variables.ts')).withKnownVariables(process.env)
  : { texts: process.env, ignored: [] }

/** What the environment says, by flag. */
export const environment: Values = readValues(texts, 'variable')

/**
 * Fastify's own server options; without a level, that of the one who asks (fastify-cli's `-l`) holds.
 * @throws RelayError RELAY_BAD_OPTION
 */
export const serverOptions = (
  { logLevel, trustProxy }: { logLevel?: string | undefined, trustProxy?: string | undefined }
): FastifyHttpOptions<Server> => ({
  logger: {
    ...(logLevel !== undefined && { level: logLevel }),
    redact: ['', '*.'].flatMap(at => [
      `${at}headers.authorization`, `${at}headers.cookie`, `${at}headers["sec-websocket-protocol"]`
    ]),
    serializers: {
      req: ({ method, url, host, ip, socket }: FastifyRequest) =>
        ({
          method,
          url: withoutToken(url),
          host,
          remoteAddress: addressIn(ip ?? '') ?? socket?.remoteAddress,
          remotePort: socket?.remotePort
        })
    },
    ...(process.stdout.isTTY
      ? { transport: { target: 'pino-pretty', options: { translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' } } }
      : { stream: logStream() })
  },
  ...(trustProxy !== undefined && { trustProxy: parseTrustProxy(trustProxy) }),
  frameworkErrors: answerError,
  http: {
    headersTimeout: MINUTE / 3,
    connectionsCheckingInterval: MINUTE / 12, // how soon that is seen
    requireHostHeader: false, // a missing Host is answered by the relay, in JSON
    IncomingMessage: WebSocketRequest
  },
  requestTimeout: 60 * MINUTE, // a whole upload, on a slow line
  connectionTimeout: 5 * MINUTE, // without a byte in either direction, while a large bundle is checked for instance
  keepAliveTimeout: 75_000, // longer than the 60 s of usual load balancers, which must be the ones to hang up
  pluginTimeout: 10 * MINUTE, // the bundle given at start is merged into the storage before the relay is ready
  forceCloseConnections: true,
  routerOptions: { caseSensitive: false, ignoreTrailingSlash: true } // as Tonk's relay takes paths
})

/**
 * What `fastify start -o` takes. Its server listens where fastify-cli's flags, FASTIFY_PORT or PORT say. The relay
 * goes to the root (skipOverride) so that a refused upgrade is cleaned up wherever in the server it was refused.
 */
export const options: FastifyHttpOptions<Server> & RelayOptions & { skipOverride: true } = {
  ...serverOptions({
    logLevel: environment['log-level'] as string | undefined,
    trustProxy: environment['trust-proxy'] as string | undefined
  }),
  ...settle(environment).relay,
  skipOverride: true
}

/**
 * What browsers are told of every answer. Pages from elsewhere may use what they load (CORS says which), but frame
 * nothing.
 */
const HEADERS: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'self'"],
      scriptSrc: ["'self'", "'wasm-unsafe-eval'"],
      styleSrc: ["'self'", "'unsafe-inline'"],
      imgSrc: ["'self'", 'data:'],
      objectSrc: ["'none'"],
      baseUri: ["'none'"],
      frameAncestors: ["'none'"]
    }
  },
  crossOriginResourcePolicy: { policy: 'cross-origin' },
  strictTransportSecurity: false, // for who ends TLS to say
  xFrameOptions: { action: 'deny' }
}

/** The relay with what a host would see to. */
export default async function standalone (fastify: FastifyInstance, options: RelayOptions): Promise<void> {
  await fastify.register(helmet, HEADERS)
  if (ignored.length > 0) {
    fastify.log.warn({ variables: ignored }, `variables that mean nothing to this feed: ${ignored.join(', ')}`)
  }
  await relay(fastify, options)
}

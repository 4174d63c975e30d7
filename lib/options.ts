import { Type, type Static } from 'typebox'
import { accessProperties, parseAccessOptions, type AccessOptions } from './access/options.ts'
import { DEFAULT_STORAGE, type Concern, type RelaySettings } from './concern.ts'
import { concerns, type ConcernName, type ConcernOptions, type ConcernSettings } from './concerns.ts'
import { badOption } from './errors.ts'
import { withoutFastifys } from './fastify-names.ts'
import type { BundleStore } from './bundles/stores/store.ts'
import { limitsSchema, type LimitsSettings } from './limits/options.ts'
import { Origins } from './http/origins.ts'
import { s3Schema, type S3Options } from './objects/options.ts'
import type { StorageAdapter } from './storage/chunks/adapter-chunks.ts'
import { parseStorage, type StorageOption } from './storage/chunks/options.ts'
import type { Durability } from './storage/local/journal.ts'
import { parseWebhooks, readWebhooks, type Webhook, type WebhookOptions } from './webhooks/options.ts'
import type { Forward } from './sync/context.ts'
import { refuseUnknown, validator } from './validate.ts'

const MiB = 1024 * 1024

const bytes = (value: number, description: string) => Type.Integer({ default: value, minimum: 1, description })
const millis = (value: number, description: string) =>
  Type.Integer({ default: value, minimum: 1, maximum: 2 ** 31 - 1, description })
const path = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))

/**
 * Every option, its default and its meaning: validation, types, flags, environment and the README's table come from
 * here.
 */
export const optionsSchema = Type.Object({
  bundle: path('Bundle (`.tonk`) to serve at `/.manifest.tonk`; without one, the blank bundle'),
  blank: path(
    'Bundle to hand out at `/api/blank-tonk`; without one, a blank bundle is made once and kept in the storage folder'
  ),
  wasm: path('File to serve at `/tonk_core_bg.wasm`; without one the route answers 404'),
  storage: Type.String({
    minLength: 1,
    default: DEFAULT_STORAGE,
    description: 'Folder of the documents, in automerge-repo’s nodefs layout; a host may give a storage adapter'
  }),
  durability: Type.Unsafe<Durability>({
    type: 'string',
    enum: ['fsync', 'write', 'none'],
    default: 'fsync',
    description: 'An edit is acknowledged once it is on disk (`fsync`), with the operating system (`write`) or in ' +
      'memory (`none`)'
  }),
  forward: Type.Unsafe<Forward>({
    type: 'string',
    enum: ['stored', 'received'],
    default: 'stored',
    description: 'Others see an edit once it is as durable as `durability` says (`stored`) or at once (`received`)'
  }),
  bundles: path('Folder whose `bundles/` holds the uploaded bundles; the storage folder by default'),
  s3: Type.Optional(s3Schema),
  maxUpload: bytes(100 * MiB, 'Largest bundle that is accepted, in bytes'),
  maxInflated: bytes(1024 * MiB, 'Largest bundle that is accepted, in bytes after decompression'),
  maxDocument: bytes(64 * MiB, 'Largest single document in a bundle, in bytes after decompression'),
  maxEntries: Type.Integer({ default: 20_000, minimum: 1, description: 'Most entries in a bundle' }),
  slimCache: Type.Integer({
    default: 32 * MiB, minimum: 0, description: 'Memory for slim bundles kept ready, in bytes'
  }),
  maxFrame: bytes(64 * MiB, 'Largest WebSocket message that is accepted, in bytes'),
  maxBacklog: bytes(128 * MiB, 'Bytes a peer may leave unread before it is disconnected (it resyncs when it returns)'),
  idleTimeout: millis(300_000, 'How long a document stays in memory after its last peer has left, at least, in ms'),
  handshakeTimeout: millis(10_000, 'Time that a new connection has to send `join`, in ms'),
  pingInterval: millis(5_000, 'Time between WebSocket pings; a peer that misses two in a row is dropped, in ms'),
  closeTimeout: millis(
    500, 'How long a shutdown waits for peers to answer the closing handshake and for running requests, in ms'
  ),
  drainDelay: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 2 ** 31 - 1,
    description: 'Time between readiness failing and the first peer being closed at shutdown, in ms'
  }),
  drainWindow: Type.Integer({
    default: 0,
    minimum: 0,
    maximum: 2 ** 31 - 1,
    description: 'Time over which peers are closed at shutdown, so that they do not all return at once, in ms'
  }),
  origins: Type.Optional(Type.String({
    minLength: 1,
    description: 'Origins whose pages may read responses, open WebSockets and make changes, ' +
      'comma-separated; all by default'
  })),
  limits: { ...limitsSchema, default: {} },
  ...accessProperties,
  cors: Type.Boolean({
    default: true, description: 'Answer cross-origin requests; left to the host when it has `@fastify/cors`'
  }),
  openapiUi: Type.Boolean({
    default: false, description: 'Serve a page at `/docs` that shows what `/openapi.json` says'
  }),
  dashboard: Type.Boolean({
    default: false,
    description: 'Serve a page at `/dashboard` that shows what the relay is doing: ' +
      'to callers that may `administer` the relay, or, when it is open, only to this machine'
  }),
  webhookFile: path('File with a JSON list of webhooks: `[{ "url", "secret", "events" }]`'),
  anyPath: Type.Boolean({
    default: false, description: 'Accept WebSocket peers on every path, not only `/`; on in the executable'
  })
}, { additionalProperties: false })

/** All settings, filled in. */
export interface Options extends Static<typeof optionsSchema>, AccessOptions, ConcernSettings {
  /** Where documents are, if not in the folder `storage`, which then has all the rest */
  adapter?: StorageAdapter | undefined
  /** A host's own bundle store; it is used and not closed. */
  store?: BundleStore | undefined
  /** Who is told of what happens */
  webhooks: Webhook[]
}

type Nullable<T> = { [Key in keyof T]?: T[Key] | undefined }

/** What `app.register(relay, …)` takes; everything is optional. */
export type RelayOptions = Nullable<
  Omit<Options, 'storage' | 'adapter' | 's3' | 'webhooks' | 'limits' | ConcernName>
> & ConcernOptions & {
  storage?: StorageOption | undefined
  limits?: Nullable<LimitsSettings> | undefined
  webhooks?: WebhookOptions[] | undefined
  s3?: Pick<S3Options, 'bucket'> & Nullable<S3Options> | undefined
}

const validate = validator<Static<typeof optionsSchema>>(optionsSchema, badOption)

/** What a host says in code: no text can. */
const HOST_OPTIONS = ['store', 'webhooks', 'authenticate', 'authorize', 'revocations']
const CONCERNS = Object.keys(concerns) as ConcernName[]
const NAMES = [...Object.keys(optionsSchema.properties), ...HOST_OPTIONS, ...CONCERNS]

/**
 * Checks and fills in options. What Fastify and fastify-cli hand along with them is left out.
 * @throws RelayError RELAY_BAD_OPTION naming the option, also one that is unknown.
 */
export function parseOptions (given: object): Options {
  const own = withoutFastifys(given)
  refuseUnknown(own, NAMES, badOption)
  const { store, webhooks, authenticate, authorize, revocations, ...rest } = own as RelayOptions
  const { folder, adapter } = parseStorage(rest.storage)
  const plain = Object.entries({ ...rest, storage: folder }).filter(([name]) => !(name in concerns))
  const picked = validate(Object.fromEntries(plain))
  const origins = new Origins(picked.origins)
  const options: Options = {
    ...picked,
    ...parseAccessOptions({ authenticate, authorize, revocations, rules: picked.rules }),
    adapter,
    webhooks: [
      ...parseWebhooks(webhooks ?? []), ...picked.webhookFile === undefined ? [] : readWebhooks(picked.webhookFile)
    ],
    ...parseConcerns(rest, { ...picked, origins })
  }
  if (store !== undefined) {
    for (const method of ['open', 'put', 'check', 'close'] as const) {
      if (typeof store?.[method] !== 'function') throw badOption('store', `must have a method ${method}()`)
    }
    options.store = store
  }
  const stores = [options.store, options.s3, options.bundles].filter(value => value !== undefined)
  if (stores.length > 1) throw badOption('store, s3, bundles', 'exclude each other: give one')
  if (options.s3 !== undefined &&
      (options.s3.accessKeyId === undefined) !== (options.s3.secretAccessKey === undefined)) {
    throw badOption('s3', 'accessKeyId and secretAccessKey go together')
  }
  return options
}

/** Of the concerns that are on. */
function parseConcerns (given: ConcernOptions, relay: RelaySettings): ConcernSettings {
  const settings: Record<string, unknown> = {}
  for (const name of CONCERNS) {
    const options: object | undefined = given[name]
    if (options === undefined) continue
    if (typeof options !== 'object' || options === null) throw badOption(name, 'must be object')
    const parsed = (concerns[name] as Concern).parse(options, relay)
    if (!('enabled' in options) || options.enabled !== false) settings[name] = parsed
  }
  return settings
}

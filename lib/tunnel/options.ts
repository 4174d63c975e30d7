import { Type, type Static } from 'typebox'
import type { Concern } from '../concern.ts'
import { badOption } from '../errors.ts'
import { parseOrigin } from '../http/origins.ts'
import { refuseUnknown, validator } from '../validate.ts'
import type { Validator } from './calls/auth.ts'
import type { OriginTest } from './http/cors.ts'
import type { Serializer } from './values/serializer.ts'
import { readTokens } from './calls/tokens.ts'

const MiB = 1024 * 1024

const bytes = (value: number, description: string) => Type.Integer({ default: value, minimum: 1, description })
const count = bytes

/** Every setting of a tunnel that can be written down, its default and its meaning. */
export const tunnelSchema = Type.Object({
  basePath: Type.String({
    default: '/__runner', pattern: '^[^?#*:%\\s]*$', description: 'Path of the tunnel, below the relay’s own prefix'
  }),
  tokens: Type.Array(Type.String({ minLength: 1 }), { default: [], description: 'Tokens that callers may send' }),
  tokenFile: Type.Optional(Type.String({
    minLength: 1, description: 'File with one token per line; turns the tunnel on'
  })),
  tokenHeader: Type.String({
    default: 'x-runner-token', pattern: '^[A-Za-z0-9-]+$', description: 'Header in which callers send their token'
  }),
  allowAnonymous: Type.Boolean({ default: false, description: 'Let anyone call when there are no tokens' }),
  corsOrigins: Type.Array(Type.String({ minLength: 1 }), {
    default: ['*'], description: 'Origins whose pages may read answers'
  }),
  corsCredentials: Type.Boolean({ default: false, description: 'Whether pages from `corsOrigins` may send cookies' }),
  discovery: Type.Boolean({ default: true, description: 'List tasks and events at `<base>/discovery`' }),
  allow: Type.Optional(Type.Array(Type.String({ minLength: 1 }), {
    description: 'Ids that may be called; by default, all that are registered'
  })),
  maxBody: bytes(2 * MiB, 'Largest JSON body that is accepted, in bytes'),
  maxFile: bytes(20 * MiB, 'Largest file in a form, in bytes'),
  maxFiles: count(10, 'Most files in a form'),
  maxFields: count(100, 'Most fields in a form'),
  maxField: bytes(MiB, 'Largest field in a form, in bytes'),
  timeout: Type.Integer({
    default: 300_000,
    minimum: 1,
    maximum: 2 ** 31 - 1,
    description: 'Longest time that a task or an event handler may take, in ms'
  }),
  concurrency: count(1000, 'Calls handled at the same time')
}, { additionalProperties: false })

type Settings = Static<typeof tunnelSchema>

/** What cannot be written down. */
interface Parts {
  /** Ask when the token is none of `tokens`; one that says yes is enough. */
  validators: Validator[]
  /** A list of origins, also as regular expressions, or what decides. */
  corsOrigins: Array<string | RegExp> | OriginTest
  /** One's own, with types of one's own */
  serializer?: Serializer | undefined
}

/** All settings of a tunnel, filled in. */
export type TunnelSettings = Omit<Settings, 'corsOrigins'> & Parts

/** What `app.register(tunnel, …)` takes; everything is optional, but without tokens or validators nobody gets in. */
export type TunnelOptions = { [Key in keyof TunnelSettings]?: TunnelSettings[Key] | undefined }

const bad = (name: string, problem: string): Error => badOption(`tunnel.${name}`, problem)
const validate = validator<Settings>(tunnelSchema, bad)

/** What a host says in code: no text can. */
const HOST_OPTIONS = ['validators', 'serializer']
const NAMES = [...Object.keys(tunnelSchema.properties), ...HOST_OPTIONS]

/**
 * Checks and fills in options.
 * @throws RelayError RELAY_BAD_OPTION naming the option, also one that is unknown
 */
export function parseTunnelOptions (given: TunnelOptions): TunnelSettings {
  refuseUnknown(given, NAMES, bad)
  const { validators = [], serializer, corsOrigins, ...rest } = given
  const settings = validate(rest)
  const tokens = settings.tokenFile === undefined
    ? settings.tokens
    : [...settings.tokens, ...readTokens(settings.tokenFile)]
  // what a header can hold as it is
  if (!tokens.every(token => /^[\x21-\x7e\xa0-\xff]{1,256}$/.test(token))) {
    throw bad('tokens', 'a token is 1 to 256 characters without spaces')
  }
  if (!Array.isArray(validators) || validators.some(validator => typeof validator !== 'function')) {
    throw bad('validators', 'must be functions')
  }
  return { ...settings, tokens, validators, corsOrigins: originsOf(corsOrigins ?? settings.corsOrigins), serializer }
}

/** All; and what pages without an origin send, like those of files (fetch standard, "serializing a request origin"). */
const ANY_OR_OPAQUE = new Set(['*', 'null'])

function originsOf (origins: unknown): TunnelSettings['corsOrigins'] {
  if (typeof origins === 'function') return origins as OriginTest
  if (!Array.isArray(origins) || !origins.every(origin => typeof origin === 'string' || origin instanceof RegExp)) {
    throw bad('corsOrigins', 'must be a list of texts and regular expressions, or a function')
  }
  for (const origin of origins) {
    if (typeof origin === 'string' && !ANY_OR_OPAQUE.has(origin)) parseOrigin(origin, 'tunnel.corsOrigins')
  }
  return origins
}

/** The tunnel as a part of the relay; pages that may use the relay may use it. */
export const tunnel: Concern<TunnelOptions, TunnelSettings> = {
  schema: tunnelSchema,
  turnedOnBy: ['tokenFile', 'allowAnonymous'],
  parse: (given, { origins }) => parseTunnelOptions({ ...given, corsOrigins: given.corsOrigins ?? origins.list })
}

import { envSchema } from 'env-schema'
import { Type, type Static, type TObject, type TSchema } from 'typebox'
import { concerns } from '../concerns.ts'
import { RelayError } from '../errors.ts'
import { limitsSchema } from '../limits/options.ts'
import { s3Schema } from '../objects/options.ts'
import { optionsSchema, type RelayOptions } from '../options.ts'
import { unknown } from '../validate.ts'

/** What the process needs beside the relay's own options. */
export const serverSchema = Type.Object({
  port: Type.Integer({
    minimum: 0, maximum: 65535, default: 8081, description: 'Port to listen on; 0 picks a free one'
  }),
  host: Type.String({
    minLength: 1, default: '127.0.0.1', description: 'Address or name to listen on; `0.0.0.0` for every interface'
  }),
  logLevel: Type.String({
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    description: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`'
  }),
  trustProxy: Type.Optional(Type.String({
    minLength: 1,
    description: 'Proxies whose `X-Forwarded-For` is trusted: how many there are in a row, or their addresses and ' +
      'networks, comma-separated'
  }))
})

export type ServerSettings = Static<typeof serverSchema>

/** Options that are on in a process of its own and off in a host. */
const standaloneDefaults: Record<string, unknown> = { anyPath: true }

/**
 * One option as the command line (`--<flag>`) and the environment (`variable`) know it; `default` is the executable's.
 */
export interface Setting {
  /** Where the option is: the server's own, one of the relay's, or one of a part of the relay */
  group: string
  name: string
  type: string
  description: string
  default?: unknown
  /** Its value's name; also the flag, unless it is secret: every process can read a command line */
  flag: string
  isSecret: boolean
  variable: string
  schema: TSchema
}

/** Values by flag, checked one by one. */
export type Values = Record<string, unknown>

export interface Settings { server: ServerSettings, relay: RelayOptions }

/** Options that are together under one name. */
interface Group {
  schema: TObject
  /** Those of which one is needed for the others to mean anything */
  turnedOnBy?: readonly string[]
}

const groups: Record<string, Group> = {
  s3: { schema: s3Schema, turnedOnBy: ['bucket'] },
  limits: { schema: limitsSchema },
  ...concerns
}

const kebab = (name: string): string => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
const upperSnake = (name: string): string => kebab(name).replaceAll('-', '_').toUpperCase()

/** What a property says of itself. */
interface Property {
  type: string
  description: string
  default?: unknown
  secret?: boolean
  hostOnly?: boolean
  variable?: string
}

/** Those of a schema that are one word. @param prefix of flags, with a dash at its end */
export function collect (group: string, { properties }: TObject, prefix: string, variablePrefix: string): Setting[] {
  return Object.entries(properties as Record<string, TSchema & Property>).flatMap(([name, property]) => {
    const { secret, hostOnly, variable, ...schema } = property
    if (hostOnly === true || schema.type === 'object' || schema.type === 'array') return []
    const words = name === 'enabled' && prefix !== '' ? prefix.slice(0, -1) : `${prefix}${kebab(name)}`
    return [{
      group,
      name,
      type: schema.type,
      description: schema.description,
      default: prefix === '' ? standaloneDefaults[name] ?? schema.default : schema.default,
      flag: words,
      isSecret: secret === true,
      variable: variable ?? `${variablePrefix}${upperSnake(words)}`,
      schema
    }]
  })
}

/** Every setting, made from the option schemas. */
export const settings: Setting[] = [
  ...collect('server', serverSchema, '', ''),
  ...collect('relay', optionsSchema, '', 'RELAY_'),
  ...Object.entries(groups).flatMap(([group, { schema }]) => collect(group, schema, `${group}-`, 'RELAY_'))
]

const serverDefaults: Values = Object.fromEntries(
  settings.filter(({ group, default: preset }) => group === 'server' && preset !== undefined)
    .map(({ name, default: preset }) => [name, preset])
)

/** What Kubernetes, and Docker's links, say of a service called "relay" or "relay-…". */
const SERVICE = /_SERVICE_(HOST|PORT(_\w+)?)=|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?=|_PORT=(tcp|udp|sctp):/

/**
 * Refuses a `RELAY_…` variable that means nothing: a misspelt one may have been to protect something. On Windows, where
 * case does not matter, the right one has the same value.
 * @throws RelayError RELAY_BAD_OPTION naming the variable, and the one that was probably meant
 */
function refuseUnknownVariables (texts: Record<string, unknown>): void {
  const known = settings.map(({ variable }) => variable)
  for (const [name, text] of Object.entries(texts)) {
    if (!/^RELAY_/i.test(name) || text === '' || text === undefined || known.includes(name)) continue
    const upper = name.toUpperCase()
    if (known.includes(upper) && texts[upper] === text) continue
    if (SERVICE.test(`${name}=${text}`)) continue
    throw new RelayError('RELAY_BAD_OPTION', `variable ${name}: ${unknown(name, known)}`)
  }
}

/** What env-schema says of a value that is wrong. */
interface SettingError { instancePath: string, message?: string, params: { allowedValues?: string[] } }

/**
 * Turns texts into typed values. An empty variable counts as not set, as in every `.env` file; variables of others are
 * passed over.
 * @throws RelayError RELAY_BAD_OPTION naming the flag or the variable.
 */
export function readValues (texts: Record<string, unknown>, by: 'flag' | 'variable'): Values {
  if (by === 'variable') refuseUnknownVariables(texts)
  const given = settings.filter(setting => {
    const text = texts[setting[by]]
    return text !== undefined && !(by === 'variable' && text === '')
  })
  try {
    const values = envSchema<Values>({
      schema: { type: 'object', properties: Object.fromEntries(given.map(setting => [setting[by], setting.schema])) },
      data: Object.fromEntries(given.map(setting => [setting[by], texts[setting[by]]])),
      env: false
    })
    return Object.fromEntries(given.map(setting => [setting.flag, values[setting[by]]]))
  } catch (cause) {
    const [first] = (cause as { errors?: SettingError[] }).errors ?? []
    if (first === undefined) throw cause
    const name = first.instancePath.slice(1)
    const problem = [first.message, first.params.allowedValues?.join(', ')].filter(Boolean).join(': ')
    throw new RelayError('RELAY_BAD_OPTION', `${by === 'flag' ? '--' : ''}${name} ${problem}`, { cause })
  }
}

/**
 * The settings to start with: flags beat the environment, which beats the executable's defaults.
 * @throws RelayError RELAY_BAD_OPTION for a flag of something that is not turned on
 */
export function settle (environment: Values, flags: Values = {}): Settings {
  const values = { ...environment, ...flags }
  const server: Values = { ...serverDefaults, ...valuesOf('server', values) }
  const relay: Values = { ...standaloneDefaults, ...valuesOf('relay', values) }
  for (const [group, { turnedOnBy }] of Object.entries(groups)) {
    const given = valuesOf(group, values)
    // AWS_REGION alone is common and asks for nothing
    const isOn = turnedOnBy === undefined
      ? Object.keys(given).length > 0
      : turnedOnBy.some(name => given[name] !== undefined && given[name] !== false)
    if (isOn) relay[group] = given
    else if (turnedOnBy !== undefined) refuseLost(group, turnedOnBy, flags)
  }
  return { server: server as ServerSettings, relay }
}

/** Those of a group, by name. */
const valuesOf = (group: string, values: Values): Values => Object.fromEntries(
  settings.filter(setting => setting.group === group && values[setting.flag] !== undefined)
    .map(({ name, flag }) => [name, values[flag]])
)

function refuseLost (group: string, turnedOnBy: readonly string[], flags: Values): void {
  const own = settings.filter(setting => setting.group === group)
  const lost = own.find(({ name, flag }) => flags[flag] !== undefined && !turnedOnBy.includes(name))
  if (lost === undefined) return
  const needed = own.filter(({ name }) => turnedOnBy.includes(name))
    .map(({ flag, isSecret, variable }) => isSecret ? variable : `--${flag} (${variable})`)
  throw new RelayError('RELAY_BAD_OPTION', `--${lost.flag} needs ${needed.join(' or ')}`)
}

import { envSchema } from 'env-schema'
import { Type, type Static, type TSchema } from 'typebox'
import { RelayError } from '../errors.ts'
import { limitsSchema } from '../limits/options.ts'
import { limitsInfos, optionInfos, optionsSchema, s3Infos, tunnelInfos, type OptionInfo, type RelayOptions } from '../options.ts'
import { tunnelSchema } from '../tunnel/options.ts'
import { unknown } from '../validate.ts'

/** What the process needs beside the relay's own options. */
export const serverSchema = Type.Object({
  port: Type.Integer({ minimum: 0, maximum: 65535, default: 8081, description: 'Port to listen on; 0 takes a free one' }),
  host: Type.String({ minLength: 1, default: '127.0.0.1', description: 'Address or name to listen on; `0.0.0.0` for every interface' }),
  logLevel: Type.String({
    enum: ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'],
    default: 'info',
    description: '`fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`'
  }),
  trustProxy: Type.Optional(Type.String({
    minLength: 1, description: 'Proxies whose `X-Forwarded-For` is believed: how many there are in a row, or their addresses and networks, comma-separated'
  }))
})

export type ServerSettings = Static<typeof serverSchema>

/** Options that are on in a process of its own and off in a host. */
const standaloneDefaults: Record<string, unknown> = { anyPath: true }

/** One option as the command line (`--<flag>`) and the environment (`variable`) know it; `default` is the executable's. */
export interface Setting extends OptionInfo {
  group: 'server' | 'relay' | 's3' | 'limits' | 'tunnel'
  flag: string
  variable: string
  schema: TSchema
}

/** Values by flag, checked one by one. */
export type Values = Record<string, unknown>

export interface Settings { server: ServerSettings, relay: RelayOptions }

const s3Variables: Record<string, string> = { bucket: 'S3_BUCKET_NAME', region: 'AWS_REGION', endpoint: 'AWS_ENDPOINT_URL_S3' }

// Every process can read a command line: keys come from the AWS SDK's own chain (AWS_ACCESS_KEY_ID, profiles, roles).
const secrets = ['accessKeyId', 'secretAccessKey']

const kebab = (name: string): string => name.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
const upperSnake = (name: string): string => kebab(name).replaceAll('-', '_').toUpperCase()
const propertiesOf = (schema: TSchema): Record<string, TSchema> => (schema as unknown as { properties: Record<string, TSchema> }).properties

const collect = (
  group: Setting['group'], infos: OptionInfo[], schema: TSchema, names: (name: string) => Pick<Setting, 'flag' | 'variable'>
): Setting[] => infos.map(info => ({
  ...info,
  ...names(info.name),
  default: standaloneDefaults[info.name] ?? info.default,
  group,
  schema: propertiesOf(schema)[info.name]!
}))

/** Every setting, made from the option schemas. */
export const settings: Setting[] = [
  ...collect('server', optionInfos(serverSchema), serverSchema, name => ({ flag: kebab(name), variable: upperSnake(name) })),
  ...collect('relay', optionInfos(), optionsSchema, name => ({ flag: kebab(name), variable: `RELAY_${upperSnake(name)}` })),
  ...collect('s3', s3Infos().filter(({ name }) => !secrets.includes(name)), optionsSchema.properties.s3, name => ({
    flag: `s3-${kebab(name)}`, variable: s3Variables[name] ?? `RELAY_S3_${upperSnake(name)}`
  })),
  ...collect('limits', limitsInfos(), limitsSchema, name => ({ flag: `limits-${kebab(name)}`, variable: `RELAY_LIMITS_${upperSnake(name)}` })),
  ...collect('tunnel', tunnelInfos(), tunnelSchema, name => ({ flag: `tunnel-${kebab(name)}`, variable: `RELAY_TUNNEL_${upperSnake(name)}` }))
]

const serverDefaults: Values = Object.fromEntries(
  settings.filter(({ group, default: preset }) => group === 'server' && preset !== undefined).map(({ name, default: preset }) => [name, preset])
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
    const [first] = (cause as { errors?: Array<{ instancePath: string, message?: string, params: { allowedValues?: string[] } }> }).errors ?? []
    if (first === undefined) throw cause
    const name = first.instancePath.slice(1)
    const problem = [first.message, first.params.allowedValues?.join(', ')].filter(Boolean).join(': ')
    throw new RelayError('RELAY_BAD_OPTION', `${by === 'flag' ? '--' : ''}${name} ${problem}`, { cause })
  }
}

/**
 * The settings to start with: flags beat the environment, which beats the executable's defaults.
 * @throws RelayError RELAY_BAD_OPTION for an S3 flag without a bucket.
 */
export function settle (environment: Values, flags: Values = {}): Settings {
  const values = { ...environment, ...flags }
  const groups = { server: { ...serverDefaults }, relay: { ...standaloneDefaults }, s3: {} as Values, limits: {} as Values, tunnel: {} as Values }
  for (const { group, name, flag } of settings) {
    if (values[flag] !== undefined) groups[group][name] = values[flag]
  }
  settleTunnel(groups.tunnel, groups.relay, flags)
  if (Object.keys(groups.limits).length > 0) groups.relay.limits = groups.limits
  // AWS_REGION alone is common and asks for nothing.
  if (groups.s3.bucket !== undefined) groups.relay.s3 = groups.s3
  else {
    const lost = settings.find(({ group, flag }) => group === 's3' && flags[flag] !== undefined)
    if (lost !== undefined) throw new RelayError('RELAY_BAD_OPTION', `--${lost.flag} needs --s3-bucket or S3_BUCKET_NAME`)
  }
  return { server: groups.server as ServerSettings, relay: groups.relay }
}

/** The tunnel is there when it is said who may call. */
function settleTunnel (tunnel: Values, relay: Values, flags: Values): void {
  if (tunnel.tokenFile !== undefined || tunnel.allowAnonymous === true) relay.tunnel = tunnel
  const lost = settings.find(({ group, flag }) => group === 'tunnel' && flags[flag] !== undefined)
  if (lost !== undefined && relay.tunnel === undefined) {
    throw new RelayError('RELAY_BAD_OPTION', `--${lost.flag} needs --tunnel-token-file or --tunnel-allow-anonymous`)
  }
}

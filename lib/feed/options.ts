import { readFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import type { Concern } from '../concern.ts'
import { badOption, messageOf } from '../errors.ts'
import { refuseUnknown, validator } from '../validate.ts'
import type { Rule } from './documents/rule.ts'
import { parseRules } from './documents/rules.ts'
import { parseLogins, type Login } from './hydrate/login/logins.ts'
import type { ReferenceOptions } from './hydrate/references.ts'
import { isDid } from './hydrate/references.ts'
import type { Shard } from './pipeline/selection.ts'
import type { RedisLayout } from './sinks/redis.ts'
import type { Sink } from './sinks/sink.ts'
import type { Filter } from './source/filter.ts'
import type { Host } from './source/hosts.ts'

const MiB = 1024 * 1024
const SECOND = 1_000
const HOUR = 3_600 * SECOND

const text = (description: string) => Type.Optional(Type.String({ minLength: 1, description }))
const count = (value: number, minimum: number, description: string) =>
  Type.Integer({ default: value, minimum, description })

const HOSTS = [
  'wss://jetstream1.us-east.bsky.network', 'wss://jetstream2.us-east.bsky.network',
  'wss://jetstream1.us-west.bsky.network', 'wss://jetstream2.us-west.bsky.network'
]

/** Every setting of the feed that can be written down, its default and its meaning. Lists are comma-separated. */
export const feedSchema = Type.Object({
  enabled: Type.Boolean({ default: false, description: 'Follow Bluesky’s event stream' }),
  hosts: Type.String({
    minLength: 1, default: HOSTS.join(','), description: 'Jetstream servers in the order they are asked'
  }),
  wire: Type.Unsafe<'v1' | 'v2'>({
    type: 'string',
    enum: ['v1', 'v2'],
    default: 'v1',
    description: 'How they are spoken to: `v1` (`/subscribe`) or `v2` (`subscribeEvents`)'
  }),
  collections: text('Collections to follow, as NSIDs or prefixes that end in `.*`, 100 at most; all by default'),
  dids: text('Accounts to follow, as DIDs; all by default'),
  didFile: text('File with the DIDs of accounts to follow, one per line'),
  exclude: text('Accounts to leave out, as DIDs'),
  shards: count(1, 1, 'Processes that share the stream, each with a storage folder of its own'),
  shard: count(0, 0, 'Which of them this process is, counting from 0'),
  shardBy: Type.Unsafe<Shard['shardBy']>({
    type: 'string',
    enum: ['account', 'time'],
    default: 'account',
    description: 'What decides: the account, or the time of the event (`time_us` modulo the number)'
  }),
  hydrate: Type.Boolean({ default: true, description: 'Look up in an AppView what records refer to' }),
  appView: Type.String({ pattern: '^https?://', default: 'https://public.api.bsky.app', description: 'The AppView' }),
  appViewRate: Type.Number({ default: 10, exclusiveMinimum: 0, description: 'Calls a second to the AppView, at most' }),
  service: Type.String({
    pattern: '^https?://',
    default: 'https://bsky.social',
    description: 'Host of the account that calls are made as, by way of which they go to its AppView'
  }),
  identifier: text('Handle or DID of that account; calls are made without a login unless it is given'),
  password: Type.Optional(Type.String({ minLength: 1, secret: true, description: 'Its app password' })),
  loginFile: text('File with a JSON list of accounts to share the calls: `[{ "service", "identifier", "password" }]`'),
  reactions: Type.Boolean({
    default: false, description: 'Look up what likes and reposts are of, which are most of the stream'
  }),
  contact: text('How the AppView’s operators reach you, told to them with each call'),
  profileCache: count(64 * MiB, 1, 'Memory for profiles, in bytes'),
  postCache: count(64 * MiB, 1, 'Memory for posts, in bytes'),
  cacheTime: count(15 * 60 * SECOND, 1, 'Time that what was looked up is good for, in ms'),
  rotateAfter: count(15 * 60 * SECOND, 1_000, 'Time after which the next file of records is begun, in ms'),
  rotateBytes: count(256 * MiB, 64 * 1024, 'Size after which the next file of records is begun, in bytes'),
  keepFor: count(72 * HOUR, 1_000, 'Time that files of records are kept, in ms'),
  keepBytes: count(20_480 * MiB, MiB, 'Size of all files of records, beyond which the oldest go, in bytes'),
  archiveFolder: text('Folder to archive sealed files of records in, gzipped; local ones go only when they are there'),
  archiveBucket: text('S3 bucket to archive them in instead'),
  archiveRegion: text('Its region; that of the bundles’ bucket by default'),
  archiveEndpoint: Type.Optional(Type.String({
    pattern: '^https?://', description: 'Any S3-compatible server; that of the bundles’ bucket by default'
  })),
  archivePrefix: Type.String({
    default: 'feed/',
    pattern: '^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*$',
    description: 'What the keys of an archive begin with, with a slash at its end'
  }),
  documentsFile: text('File with a JSON list of rules that choose what goes into feed documents: ' +
    '`[{ "name", "accounts", "words", "tags", "collections" }]`'),
  documentsRequired: Type.Boolean({
    default: false, description: 'Whether the stream waits for feed documents that cannot be written'
  }),
  redisUrl: Type.Optional(Type.String({
    pattern: '^rediss?://', secret: true, description: 'Redis to add records to, as `redis://…` or `rediss://…`'
  })),
  redisStream: Type.String({ minLength: 1, default: 'bluesky', description: 'The key of the Redis stream' }),
  redisLayout: Type.Unsafe<RedisLayout>({
    type: 'string',
    enum: ['record', 'graze', 'turbo'],
    default: 'record',
    description: 'Fields of its entries: `record`, or those of one of the known programs, `graze` or `turbo`'
  }),
  redisMaxLength: count(100_000, 1, 'Entries that it keeps, roughly'),
  redisMaxAge: Type.Optional(Type.Integer({
    minimum: 1_000, description: 'Time that it keeps entries, in ms; counts instead of their number'
  })),
  redisRequired: Type.Boolean({ default: false, description: 'Whether the stream waits for Redis' }),
  compatible: Type.Boolean({
    default: false, description: 'Answer at `/api/v1/…` and `/ready` too, as jetstream-turbo does'
  }),
  required: Type.Boolean({ default: false, description: 'Whether the relay is ready only when the feed is well' })
}, { additionalProperties: false })

type Settings = Static<typeof feedSchema>

/** What cannot be written down. */
interface Parts {
  /** Sinks of one's own */
  sinks: readonly Sink[]
  /** What goes into feed documents, those of `documentsFile` included */
  documents: readonly Rule[]
  /** Whom calls are made as; without a login when there is nobody */
  logins: readonly Login[]
  /** References of one's own record types */
  references: ReferenceOptions['more']
}

/** Settings that are taken in as something else. */
type Raw = 'hosts' | 'collections' | 'dids' | 'didFile' | 'exclude' | 'documentsFile' |
  'service' | 'identifier' | 'password' | 'loginFile'

/** All settings, filled in. */
export interface FeedSettings extends Omit<Settings, Raw>, Parts {
  hosts: readonly Host[]
  filter: Filter
  exclude: ReadonlySet<string>
}

export type FeedOptions = { [Key in keyof Settings]?: Settings[Key] | undefined } &
  { [Key in Exclude<keyof Parts, 'logins'>]?: Parts[Key] | undefined }

const bad = (name: string, problem: string): Error => badOption(`feed.${name}`, problem)
const validate = validator<Settings>(feedSchema, bad)
const HOST_OPTIONS = ['sinks', 'documents', 'references']
const MOST_COLLECTIONS = 100
const MOST_DIDS = 10_000
const NSID = /^[a-zA-Z][a-zA-Z0-9-]*(\.[a-zA-Z0-9][a-zA-Z0-9-]*)+(\.\*)?$/

/**
 * Checks and fills in options.
 * @throws RelayError RELAY_BAD_OPTION naming the option, also one that is unknown
 */
export function parseFeedOptions (given: FeedOptions): FeedSettings {
  refuseUnknown(given, [...Object.keys(feedSchema.properties), ...HOST_OPTIONS], bad)
  const { sinks = [], documents: rules, references, ...rest } = given
  const {
    hosts, collections, dids, didFile, exclude, documentsFile, service, identifier, password, loginFile, ...settings
  } = validate(rest)
  const filter = {
    collections: checked(
      'collections', listOf(collections), name => NSID.test(name), MOST_COLLECTIONS,
      'no NSID, nor a prefix that ends in .*'
    ),
    dids: checked(
      'dids', [...listOf(dids), ...didFile === undefined ? [] : linesOf(didFile)], isDid, MOST_DIDS, 'no DID'
    )
  }
  const { shard, shards, archiveFolder, archiveBucket, redisUrl } = settings
  if (shard >= shards) throw bad('shard', `must be less than feed.shards, which is ${shards}`)
  if (!Array.isArray(sinks) || sinks.some(sink => typeof sink?.write !== 'function')) {
    throw bad('sinks', 'must be a list of sinks')
  }
  if (archiveFolder !== undefined && archiveBucket !== undefined) {
    throw bad('archiveBucket', 'and feed.archiveFolder are one too many')
  }
  const documents = parseRules(rules, documentsFile)
  // whose author has not been looked up is shown to nobody
  if (documents.length > 0 && !settings.hydrate) {
    throw bad('documents', 'need feed.hydrate: only of whom the profile was seen may anything be shown')
  }
  const names = [
    ...documents.length > 0 ? ['documents'] : [],
    ...redisUrl === undefined ? [] : ['redis'],
    ...sinks.map(({ name }) => name)
  ]
  const twice = names.find((name, index) => names.indexOf(name) !== index || !/^[a-z][a-z0-9-]*$/.test(name))
  if (twice !== undefined) throw bad('sinks', `${JSON.stringify(twice)} must be a word, and of one sink only`)
  if (references !== undefined && typeof references !== 'function') throw bad('references', 'must be a function')
  return {
    ...settings,
    sinks,
    documents,
    logins: parseLogins({ service, identifier, password, loginFile }),
    references,
    filter,
    hosts: listOf(hosts).map(url => ({ url: originOf(url), wire: settings.wire })),
    exclude: new Set(checked('exclude', listOf(exclude), isDid, Infinity, 'no DID'))
  }
}

const listOf = (texts: string | undefined): string[] =>
  [...new Set((texts ?? '').split(',').map(one => one.trim()).filter(one => one !== ''))]

function checked (
  name: string, list: string[], isFit: (one: string) => boolean, most: number, problem: string
): string[] {
  const wrong = list.find(one => !isFit(one))
  if (wrong !== undefined) throw bad(name, `${JSON.stringify(wrong)} is ${problem}`)
  if (list.length > most) throw bad(name, `${list.length} are too many: servers take ${most}`)
  return list
}

function linesOf (file: string): string[] {
  try {
    return listOf(readFileSync(file, 'utf8').replaceAll(/\s+/g, ','))
  } catch (cause) {
    throw bad('didFile', messageOf(cause))
  }
}

function originOf (text: string): string {
  const url = urlOf(text)
  if (url === null || !/^wss?:$/.test(url.protocol) || url.pathname !== '/' || url.search !== '') {
    throw bad('hosts', `${JSON.stringify(text)} is no address of the form wss://name`)
  }
  return `${url.protocol}//${url.host}`
}

function urlOf (text: string): URL | null {
  try { return new URL(text) } catch { return null }
}

/** The feed as a part of the relay. */
export const feed: Concern<FeedOptions, FeedSettings> = {
  schema: feedSchema, turnedOnBy: ['enabled'], parse: parseFeedOptions
}

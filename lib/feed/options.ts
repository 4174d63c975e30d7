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
    minLength: 1, default: HOSTS.join(','), description: 'Jetstream servers, in the order in which they are tried'
  }),
  wire: Type.Unsafe<'v1' | 'v2'>({
    type: 'string',
    enum: ['v1', 'v2'],
    default: 'v1',
    description: 'Protocol of those servers: `v1` (`/subscribe`) or `v2` (`subscribeEvents`)'
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
    description: 'What decides which process takes an event: the account, or the time of the event (`time_us` modulo ' +
      'the number of processes)'
  }),
  hydrate: Type.Boolean({ default: true, description: 'Look up what records refer to in an AppView' }),
  appView: Type.String({
    pattern: '^https?://', default: 'https://public.api.bsky.app', description: 'Address of the AppView'
  }),
  appViewRate: Type.Number({ default: 10, exclusiveMinimum: 0, description: 'Most calls per second to the AppView' }),
  service: Type.String({
    pattern: '^https?://',
    default: 'https://bsky.social',
    description: 'Host of the account to sign in with; calls to the AppView go through it'
  }),
  identifier: text('Handle or DID of that account; without one, calls are made without signing in'),
  password: Type.Optional(Type.String({ minLength: 1, secret: true, description: 'App password of that account' })),
  loginFile: text('File with a JSON list of accounts to share the calls: `[{ "service", "identifier", "password" }]`'),
  reactions: Type.Boolean({
    default: false, description: 'Also look up the posts that likes and reposts refer to (they are most of the stream)'
  }),
  contact: text('Contact for the AppView’s operators, sent with each call'),
  profileCache: count(64 * MiB, 1, 'Memory for profiles, in bytes'),
  postCache: count(64 * MiB, 1, 'Memory for posts, in bytes'),
  cacheTime: count(15 * 60 * SECOND, 1, 'How long a lookup stays valid, in ms'),
  rotateAfter: count(15 * 60 * SECOND, 1_000, 'Time after which a new record file is started, in ms'),
  rotateBytes: count(256 * MiB, 64 * 1024, 'Size after which a new record file is started, in bytes'),
  keepFor: count(72 * HOUR, 1_000, 'How long record files are kept, in ms'),
  keepBytes: count(20_480 * MiB, MiB, 'Total size of record files beyond which the oldest are deleted, in bytes'),
  archiveFolder: text(
    'Folder in which sealed record files are archived, gzipped; local ones are deleted only once they are archived'
  ),
  archiveBucket: text('S3 bucket in which they are archived instead'),
  archiveRegion: text('Region of that bucket; by default, that of the bundles’ bucket'),
  archiveEndpoint: Type.Optional(Type.String({
    pattern: '^https?://', description: 'Any S3-compatible server; by default, that of the bundles’ bucket'
  })),
  archivePrefix: Type.String({
    default: 'feed/',
    pattern: '^([A-Za-z0-9_-][A-Za-z0-9_.-]*/)*$',
    description: 'Prefix of the archive’s keys, ending in a slash'
  }),
  documentsFile: text('File with a JSON list of rules that choose what goes into feed documents: ' +
    '`[{ "name", "accounts", "words", "tags", "collections" }]`'),
  documentsRequired: Type.Boolean({
    default: false, description: 'Whether the stream waits while feed documents cannot be written'
  }),
  redisUrl: Type.Optional(Type.String({
    pattern: '^rediss?://', secret: true, description: 'Redis to add records to, as `redis://…` or `rediss://…`'
  })),
  redisStream: Type.String({ minLength: 1, default: 'bluesky', description: 'Key of the Redis stream' }),
  redisLayout: Type.Unsafe<RedisLayout>({
    type: 'string',
    enum: ['record', 'graze', 'turbo'],
    default: 'record',
    description: 'Fields of its entries: `record`, or those of a known program, `graze` or `turbo`'
  }),
  redisMaxLength: count(100_000, 1, 'Rough number of entries that it keeps'),
  redisMaxAge: Type.Optional(Type.Integer({
    minimum: 1_000, description: 'How long it keeps entries, in ms; replaces `redisMaxLength`'
  })),
  redisRequired: Type.Boolean({ default: false, description: 'Whether the stream waits while Redis is down' }),
  compatible: Type.Boolean({
    default: false, description: 'Also answer at `/api/v1/…` and `/ready`, as jetstream-turbo does'
  }),
  required: Type.Boolean({ default: false, description: 'Count the relay as ready only while the feed works' })
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

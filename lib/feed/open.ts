import path from 'node:path'
import type { Log } from '../log.ts'
import type { S3Options } from '../objects/options.ts'
import type { Durability } from '../storage/local/journal.ts'
import { version } from '../version.ts'
import { openArchive } from './archive/open-archive.ts'
import type { DocumentsHost } from './documents/documents-host.ts'
import { Feed } from './feed.ts'
import { AppViewHydrator } from './hydrate/appview-hydrator.ts'
import { AppView } from './hydrate/appview.ts'
import { Breaker } from './hydrate/breaker.ts'
import { LoggedIn, nobody } from './hydrate/login/credentials.ts'
import { bare, type Hydrator } from './hydrate/hydrator.ts'
import { Pace } from './hydrate/pace.ts'
import { TokenFiles } from './hydrate/login/token-file.ts'
import type { FeedSettings } from './options.ts'
import { openSinks } from './sinks/open-sinks.ts'
import type { Dial } from './source/dial.ts'

const TIMEOUT = 10_000 // ms of a call
const MAX_WAIT = 30_000 // ms that a call waits after one too many
const NOT_FOUND = 0.1 // of the time that what was found is good for

export interface OpenFeed {
  readonly settings: FeedSettings
  /** The relay's storage folder; the feed is in one of its own there */
  readonly storage: string
  readonly durability: Durability
  readonly dial: Dial
  /** How the bundles' bucket is reached */
  readonly s3?: S3Options | undefined
  /** What feed documents are synced by */
  readonly host: DocumentsHost
  /** Whether the relay asks who its readers are */
  readonly isControlled: boolean
  readonly log: Log
}

/** The feed that the options ask for, with all its parts; it is not started. @throws RelayError RELAY_BAD_OPTION */
export async function openFeed (
  { settings, storage, durability, dial, s3, host, isControlled, log }: OpenFeed
): Promise<Feed> {
  const { hosts, filter, exclude, shard, shards, shardBy, rotateAfter, rotateBytes, keepFor, keepBytes } = settings
  const folder = path.join(storage, 'feed')
  const sinks = await openSinks({ settings, folder, host, isControlled, log })
  const parts = {
    folder,
    source: { hosts, filter, dial },
    selection: { exclude, shard, shards, shardBy },
    hydrator: settings.hydrate ? hydratorOf(settings, folder, log) : bare,
    sinks,
    archive: await openArchive(settings, s3, folder, log),
    store: { durability, rotateAfter, rotateBytes, keepFor, keepBytes },
    log
  }
  try {
    return await Feed.open(parts)
  } catch (error) {
    for (const sink of sinks) await sink.close()
    throw error
  }
}

function hydratorOf (settings: FeedSettings, folder: string, log: Log): Hydrator {
  const { logins, appView, appViewRate, reactions, references, contact, profileCache, postCache, cacheTime } = settings
  const breaker = new Breaker({
    onChange: state => {
      log.warn({ appView, state }, `the feed’s calls to ${appView}: the circuit breaker is ${state}`)
    }
  })
  const userAgent = `fastify-automerge-relay/${version}${contact === undefined ? '' : ` (${contact})`}`
  const store = new TokenFiles(path.join(folder, 'logins'))
  const accounts = logins.map(({ service, identifier, password, accessJwt, refreshJwt }) => new LoggedIn({
    service: new URL(service).origin,
    name: `${service} ${identifier}`,
    ...password !== undefined && { login: { identifier, password } },
    ...accessJwt !== undefined && { tokens: { accessJwt, refreshJwt: refreshJwt! } },
    store,
    userAgent,
    log
  }))
  return new AppViewHydrator({
    appView: new AppView({
      callers: (accounts.length === 0 ? [nobody(appView)] : accounts).map(account => ({
        account, pace: new Pace({ rate: appViewRate })
      })),
      breaker,
      userAgent,
      timeout: TIMEOUT,
      patience: MAX_WAIT,
      log
    }),
    breaker,
    references: { reactions, ...references !== undefined && { more: references } },
    profiles: profileCache,
    posts: postCache,
    ttl: cacheTime,
    negativeTtl: Math.ceil(cacheTime * NOT_FOUND)
  })
}

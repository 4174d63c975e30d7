import { badOption } from '../../errors.ts'

type Texts = Readonly<Record<string, string | undefined>>

const DAY = 86_400_000 // ms
const MiB = 1024 * 1024

/** A list of the known programs is JSON, or comma-separated. */
function list (text: string): string {
  if (!text.trim().startsWith('[')) return text
  try {
    return (JSON.parse(text) as unknown[]).map(String).join(',')
  } catch {
    return text // the option it is for says what is wrong
  }
}

const times = (factor: number) => (text: string): string => String(Math.round(Number(text) * factor))
const hosts = (text: string): string =>
  list(text).split(',').map(host => host.includes('://') ? host.trim() : `wss://${host.trim()}`).join(',')
const same = (text: string): string => text

/**
 * What variables of the known programs are called here, and what becomes of their values. Of two for one the first
 * holds.
 */
const KNOWN: ReadonlyArray<readonly [theirs: string, ours: string, value: (text: string) => string]> = [
  ['JETSTREAM_HOSTS', 'HOSTS', hosts],
  ['WANTED_COLLECTIONS', 'COLLECTIONS', list],
  ['EXCLUSION_LIST', 'EXCLUDE', list],
  ['TURBO__REDIS_URL', 'REDIS_URL', same],
  ['REDIS_URL', 'REDIS_URL', same],
  ['STREAM_NAME', 'REDIS_STREAM', same],
  ['TRIM_MAXLEN', 'REDIS_MAX_LENGTH', same],
  ['DB_RETENTION_DAYS', 'KEEP_FOR', times(DAY)],
  ['MAX_DB_SIZE_MB', 'KEEP_BYTES', times(MiB)],
  ['BLUESKY_HANDLE', 'IDENTIFIER', same],
  ['BLUESKY_APP_PASSWORD', 'PASSWORD', same],
  ['S3_BUCKET', 'ARCHIVE_BUCKET', same],
  ['S3_REGION', 'ARCHIVE_REGION', same]
]

/** They mean something else here, or nothing: caches are counted in bytes, and files are in the storage folder. */
const MEANINGLESS = [
  'DB_DIR', 'TURBO__DB_DIR', 'TURBO__HTTP_PORT', 'CACHE_SIZE_USERS', 'CACHE_SIZE_POSTS', 'CHANNEL_CAPACITY',
  'MAX_CONCURRENT_REQUESTS'
]

/**
 * Adds what variables of the known programs say, under the names they have here, when the feed is on by
 * `RELAY_FEED=true`. Ours win.
 * @returns the variables, and the names of those that are given and mean nothing here
 * @throws RelayError RELAY_BAD_OPTION for one that would have a secret travel in a URL
 */
export function withKnownVariables (texts: Texts): { texts: Texts, ignored: string[] } {
  if (texts['RELAY_FEED'] !== 'true') return { texts, ignored: [] }
  const isGiven = (name: string): boolean => texts[name] !== undefined && texts[name] !== ''
  if (isGiven('TURBO_CREDENTIAL_SECRET')) {
    throw badOption(
      'feed',
      'TURBO_CREDENTIAL_SECRET is of a private service that takes its secret in the URL. ' +
      'Give accounts by RELAY_FEED_LOGIN_FILE'
    )
  }
  const added: Record<string, string> = {}
  for (const [theirs, ours, value] of KNOWN) {
    const name = `RELAY_FEED_${ours}`
    if (isGiven(theirs) && !isGiven(name)) added[name] ??= value(texts[theirs]!)
  }
  return { texts: { ...texts, ...added }, ignored: MEANINGLESS.filter(isGiven) }
}

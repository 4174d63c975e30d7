import t from 'tap'
import { withKnownVariables } from '../../../../lib/feed/compatible/variables.ts'
import { readValues, settle } from '../../../../lib/cli/settings.ts'
import { parseFeedOptions } from '../../../../lib/feed/options.ts'

const THEIRS = {
  JETSTREAM_HOSTS: '["jetstream1.us-east.bsky.network", "ws://localhost:6008"]',
  WANTED_COLLECTIONS: '["app.bsky.feed.post"]',
  STREAM_NAME: 'hydrated_jetstream',
  REDIS_URL: 'redis://localhost:6379',
  TRIM_MAXLEN: '100',
  DB_RETENTION_DAYS: '3',
  MAX_DB_SIZE_MB: '20480',
  BLUESKY_HANDLE: 'anna.test',
  BLUESKY_APP_PASSWORD: 'secret',
  EXCLUSION_LIST: 'did:plc:a,did:plc:b',
  S3_BUCKET: 'archive',
  S3_REGION: 'us-east-1',
  DB_DIR: '/data',
  CACHE_SIZE_USERS: '20000'
}

t.test('variables of the known programs start a feed as they mean it', async t => {
  const { texts, ignored } = withKnownVariables({ RELAY_FEED: 'true', ...THEIRS })
  t.strictSame(ignored, ['DB_DIR', 'CACHE_SIZE_USERS'])
  const feed = parseFeedOptions(settle(readValues(texts, 'variable')).relay['feed' as never])
  t.match(feed, {
    hosts: [{ url: 'wss://jetstream1.us-east.bsky.network' }, { url: 'ws://localhost:6008' }],
    filter: { collections: ['app.bsky.feed.post'] },
    redisUrl: 'redis://localhost:6379',
    redisStream: 'hydrated_jetstream',
    redisMaxLength: 100,
    keepFor: 3 * 86_400_000,
    keepBytes: 20_480 * 1024 * 1024,
    logins: [{ identifier: 'anna.test', password: 'secret' }],
    archiveBucket: 'archive',
    archiveRegion: 'us-east-1'
  })
  t.strictSame([...feed.exclude], ['did:plc:a', 'did:plc:b'])
})

t.test('ours win, and without a feed theirs mean nothing', async t => {
  const both = { RELAY_FEED: 'true', RELAY_FEED_REDIS_STREAM: 'ours', STREAM_NAME: 'theirs' }
  t.match(withKnownVariables(both).texts, { RELAY_FEED_REDIS_STREAM: 'ours' })
  const twice = { RELAY_FEED: 'true', TURBO__REDIS_URL: 'redis://a', REDIS_URL: 'redis://b' }
  t.equal(withKnownVariables(twice).texts['RELAY_FEED_REDIS_URL'], 'redis://a')
  t.strictSame(withKnownVariables(THEIRS), { texts: THEIRS, ignored: [] })
})

t.test('a secret that would travel in a URL is refused', async t => {
  t.throws(() => withKnownVariables({ RELAY_FEED: 'true', TURBO_CREDENTIAL_SECRET: 'x' }), {
    code: 'RELAY_BAD_OPTION', message: /TURBO_CREDENTIAL_SECRET/
  })
})

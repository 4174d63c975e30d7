import type { Feed } from '../feed.ts'

const numberIn = (stats: Readonly<Record<string, unknown>>, name: string): number =>
  typeof stats[name] === 'number' ? stats[name] : 0
const rate = (hits: number, misses: number): number => hits + misses === 0 ? 0 : hits / (hits + misses)

/** `/api/v1/stats` as the Rust program jetstream-turbo answers it. */
export function statsOf (feed: Feed) {
  const { hydrator, store } = feed
  const stats = hydrator.stats()
  const redis = feed.followers.find(({ sink }) => sink.name === 'redis')
  const [userHits, userMisses] = [numberIn(stats, 'profileHits'), numberIn(stats, 'profileMisses')]
  const [postHits, postMisses] = [numberIn(stats, 'postHits'), numberIn(stats, 'postMisses')]
  return {
    total_records_processed: store.lastNumber,
    cache_user_hits: userHits,
    cache_user_misses: userMisses,
    cache_post_hits: postHits,
    cache_post_misses: postMisses,
    cache_user_hit_rate: rate(userHits, userMisses),
    cache_post_hit_rate: rate(postHits, postMisses),
    /** Entries that this feed has added; the stream itself is trimmed */
    redis_stream_length: redis === undefined ? null : numberIn(redis.sink.stats(), 'added'),
    redis_version: null
  }
}

/** `/api/v1/health`. What that program calls healthy without having looked, is looked at. */
export function healthOf (feed: Feed) {
  const { problems, source, followers } = feed
  const redis = followers.find(({ sink }) => sink.name === 'redis')
  return {
    healthy: problems.length === 0,
    redis_connected: redis?.sink.stats()['connected'] === true,
    sqlite_available: feed.problem === undefined,
    session_count: 0,
    diagnostics: { stream_connected: source.state === 'connected', lag_seconds: Math.round(feed.lag), problems }
  }
}

/** `/api/v1/metrics`: those figures as gauges, in Prometheus' text format. */
export function metricsText (feed: Feed): string {
  const figures = Object.entries(statsOf(feed))
    .filter((entry): entry is [string, number] => typeof entry[1] === 'number')
  return figures.map(([name, value]) =>
    `# TYPE jetstream_turbo_${name} gauge\njetstream_turbo_${name} ${value}\n`
  ).join('')
}

import { Counter, Gauge, type Registry } from 'prom-client'
import type { Feed } from './feed.ts'

/** Puts what a feed counts where Prometheus gets it from. */
export function registerFeedMetrics (feed: Feed, registry: Registry): void {
  const registers = [registry]
  const counter = (name: string, help: string, read: () => number): void => {
    new Counter({ name, help, registers, collect () { this.reset(); this.inc(read()) } }) // eslint-disable-line no-new
  }
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({ name, help, registers, collect () { this.set(read()) } }) // eslint-disable-line no-new
  }
  const ofSinks = (name: string, help: string, read: (follower: Feed['followers'][number]) => number): void => {
    // eslint-disable-next-line no-new
    new Gauge({
      name,
      help,
      registers,
      labelNames: ['sink'],
      collect () {
        for (const follower of feed.followers) {
          this.set({ sink: follower.sink.name }, read(follower))
        }
      }
    })
  }
  counter('relay_feed_events_total', 'Events received from the stream', () => feed.events)
  counter('relay_feed_repeats_total', 'Events that had arrived before, and were skipped', () => feed.repeats)
  counter('relay_feed_records_total', 'Records written', () => feed.records)
  counter('relay_feed_connections_total', 'Connections to servers of the stream', () => feed.source.connections)
  counter('relay_feed_gaps_total', 'Parts of the stream that no server has any more', () => feed.gaps.list.length)
  gauge(
    'relay_feed_connected',
    '1 while there is a connection to a server of the stream',
    () => feed.source.state === 'connected' ? 1 : 0
  )
  gauge('relay_feed_lag_seconds', 'How far the newest event received is behind the clock', () => feed.lag)
  gauge('relay_feed_delay_seconds', 'Time from received to durable, for the last batch', () => feed.delay / 1000)
  gauge(
    'relay_feed_events_under_way',
    'Events received that are not yet durable everywhere they must be',
    () => feed.buffer.size
  )
  gauge('relay_feed_paused', '1 while the source waits for the sinks', () => feed.buffer.isFull ? 1 : 0)
  gauge(
    'relay_feed_failing',
    '1 while records or the cursor cannot be written, or there is no source',
    () => feed.problems.length > 0 ? 1 : 0
  )
  gauge('relay_feed_stored_bytes', 'Size of the record files', () => feed.store.bytes)
  gauge(
    'relay_feed_breaker_open',
    '1 while calls to the AppView are paused after failures',
    () => feed.hydrator.isBroken ? 1 : 0
  )
  gauge(
    'relay_feed_dead_letters',
    'Frames and records refused for their content, waiting for somebody to deal with them',
    () => feed.deadLetters.size
  )
  gauge('relay_feed_archive_waiting_files', 'Sealed files that are not archived yet', () => feed.archive?.waiting ?? 0)
  gauge(
    'relay_feed_archive_failing',
    '1 while files cannot be archived',
    () => feed.archive?.problem === undefined ? 0 : 1
  )
  ofSinks(
    'relay_feed_sink_missed_records',
    'Records that were deleted before a sink got to them',
    ({ missed }) => missed
  )
  ofSinks('relay_feed_sink_behind_records', 'Records that a sink has not received yet', ({ number }) => Math.max(
    0, feed.store.lastNumber - number
  ))
  ofSinks('relay_feed_sink_failing', '1 while a sink cannot write', ({ problem }) => problem === undefined ? 0 : 1)
}

import type { FeedEvent } from '../event.ts'
import type { Hydration } from '../hydrate/hydrator.ts'

/** One event with what it refers to. */
export interface FeedRecord {
  /** Its place in the feed: 1, 2, 3, … of this relay, kept over restarts. What consumers use as cursor. */
  readonly number: number
  readonly event: FeedEvent
  readonly hydration: Hydration
}

/** Records in the feed's order, at least one. Their numbers rise; there may be gaps between them. */
export type Batch = readonly FeedRecord[]

/**
 * A record that a sink cannot take because of what it is. It is kept as a dead letter and not offered again by itself.
 */
export interface Refusal { readonly record: FeedRecord, readonly reason: string }

/** Figures of a sink, by name, for `/feed/stats`. */
export type SinkStats = Readonly<Record<string, number | string | boolean | null>>

/**
 * Where records go after the log (SQLite) has them. The feed reads the log for each sink on its own:
 * - `write` is called with one batch at a time, in order, the next only when the last is durable.
 * - It resolves when all of the batch is as durable as this sink makes it: the feed may forget it then.
 * - It rejects for what is not the records' fault (no connection, full): the same batch comes again after a pause,
 *   for ever.
 * - It resolves with the records that it refuses for their content; all others are durable then.
 * - After a crash the last batches come again with the same numbers, maybe cut otherwise: writing a number twice must
 *   leave one of it.
 */
export interface Sink {
  /** One word: a label of metrics, and what the command line names it by */
  readonly name: string
  /** Whether the stream's cursor waits for it, and the source is held back while it cannot write */
  readonly required: boolean
  /** @param signal aborted when the feed closes: give up what is under way, it comes again */
  write: (batch: Batch, signal: AbortSignal) => Promise<readonly Refusal[]>
  /** Records after this number come again although they were written: somebody wants them written anew. */
  rewind?: (after: number) => Promise<void>
  stats: () => SinkStats
  close: () => Promise<void>
}

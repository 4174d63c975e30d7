/**
 * How Jetstream is spoken: `/subscribe` (times as cursors) or `network.bsky.jetstream.subscribeEvents` (sequence
 * numbers).
 */
export type Wire = 'v1' | 'v2'

/** Where the stream stands: everything up to and with the event that it is of has been taken in. */
export interface Position {
  /** The server, as `wss://name[:port]`. Sequence numbers are each server's own. */
  readonly host: string
  readonly wire: Wire
  /** What the server is asked to go on from: µs since 1970 on v1, a sequence number on v2 */
  readonly cursor: number
  /** µs since 1970: what another server is asked to go on from */
  readonly timeUs: number
}

/** A position of a file. @returns undefined for what is none */
export function asPosition (value: unknown): Position | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { host, wire, cursor, timeUs } = value as Record<string, unknown>
  if (typeof host !== 'string' || (wire !== 'v1' && wire !== 'v2')) return undefined
  if (!isCount(cursor) || !isCount(timeUs)) return undefined
  return { host, wire, cursor, timeUs }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && value as number >= 0

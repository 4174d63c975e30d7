import { createHash } from 'node:crypto'
import type { FeedEvent } from '../event.ts'

/** Which part of the stream is this process's. */
export interface Shard {
  /** 0 to `shards` - 1 */
  readonly shard: number
  readonly shards: number
  /** `account`: all of an account's events are of one shard. `time`: `time_us % shards`, as the known programs count */
  readonly shardBy: 'account' | 'time'
}

export interface Selection extends Shard {
  /** Accounts whose events are left out */
  readonly exclude: ReadonlySet<string>
}

/** Whether an event is wanted, beyond what the server was asked for. */
export function isSelected ({ did, timeUs }: FeedEvent, { exclude, shard, shards, shardBy }: Selection): boolean {
  if (exclude.has(did)) return false
  if (shards <= 1) return true
  return (shardBy === 'time' ? timeUs % shards : shardOf(did, shards)) === shard
}

/** The first four bytes of the account's SHA-256, modulo the number of shards. */
export const shardOf = (did: string, shards: number): number =>
  createHash('sha256').update(did).digest().readUInt32BE(0) % shards

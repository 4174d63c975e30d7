import type { Feed } from '../feed.ts'
import { follow, type Wish } from './consumer.ts'

/** One consumer's connection. */
export interface Channel {
  /** Sends a record's JSON text. @returns what is to be waited for before the next, if anything */
  record: (text: string, number: number) => Promise<void> | undefined
  /** What comes next is not kept any more: it may go on after this number. Ends it */
  gone: (oldest: number) => void
}

/** Sends a consumer records as fast as it takes them, until the signal says that it has left. */
export async function pump (feed: Feed, channel: Channel, wish: Wish, signal: AbortSignal): Promise<void> {
  for await (const told of follow(feed, wish, signal)) {
    if ('oldest' in told) return channel.gone(told.oldest)
    await channel.record(told.text, told.number)
  }
}

import type { Dial } from './dial.ts'
import { EVERYTHING } from './filter.ts'
import type { Host } from './hosts.ts'
import { FeedSocket, type Decode } from './socket.ts'
import { v1 } from './v1.ts'
import { v2 } from './v2.ts'

const FIRST_EVENT_TIMEOUT = 15_000 // ms: a server that has events sends them at once

/**
 * When the first event is that a server sends for a time, of all accounts and collections: a stream with a filter may
 * have been quiet, the whole one never is. Resolves with undefined when it sends nothing.
 * @param timeUs µs since 1970
 */
export async function firstEventAt (
  host: Host, timeUs: number, dial: Dial, decode: Decode | undefined
): Promise<number | undefined> {
  return await new Promise(resolve => {
    const done = (found: number | undefined): void => {
      clearTimeout(timer)
      socket.close()
      resolve(found)
    }
    const timer = setTimeout(() => { done(undefined) }, FIRST_EVENT_TIMEOUT)
    const socket = new FeedSocket({
      host,
      protocol: host.wire === 'v1' ? v1 : v2,
      dial,
      decode,
      filter: EVERYTHING,
      cursor: timeUs,
      dictionary: undefined,
      heard: {
        opened () {},
        event: event => { done(event.timeUs) },
        info () {},
        rejected () {},
        ended: () => { done(undefined) }
      }
    })
  })
}

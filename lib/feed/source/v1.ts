import { parseEvent } from '../event.ts'
import type { Protocol } from './wire.ts'

const LONGEST_QUERY = 4_000 // characters: proxies refuse URLs beyond 8,000

/** `/subscribe`: frozen, text frames of one event each, times as cursors. */
export const v1: Protocol = {
  wire: 'v1',

  request ({ host, filter: { collections, dids }, cursor, dictionary }) {
    const wanted = new URLSearchParams()
    for (const collection of collections) wanted.append('wantedCollections', collection)
    for (const did of dids) wanted.append('wantedDids', did)
    const isLong = wanted.toString().length > LONGEST_QUERY
    const query = isLong ? new URLSearchParams({ requireHello: 'true' }) : wanted
    if (cursor !== undefined) query.set('cursor', String(cursor))
    if (dictionary !== undefined) query.set('compress', 'true')
    return {
      url: `${host}/subscribe?${query.toString()}`,
      headers: {},
      ...isLong && {
        hello: JSON.stringify({
          type: 'options_update',
          payload: { wantedCollections: collections, wantedDids: dids, maxMessageSizeBytes: 0 }
        })
      }
    }
  },

  read: text => ({ kind: 'event', event: parseEvent(text) })
}

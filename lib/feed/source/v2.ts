import { NotAnEvent, eventOf } from '../event.ts'
import type { Frame, Protocol } from './wire.ts'

const NSID = 'network.bsky.jetstream.subscribeEvents'
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.(\d{1,9}))?Z$/

type Json = Record<string, unknown>

/** `subscribeEvents`: XRPC frames (atproto proposal 0015), sequence numbers as cursors. The client never speaks. */
export const v2: Protocol = {
  wire: 'v2',

  request ({ host, filter: { collections, dids }, cursor, dictionary }) {
    const query = new URLSearchParams()
    for (const collection of collections) query.append('collections', collection)
    for (const did of dids) query.append('dids', did)
    if (cursor !== undefined) query.set('cursor', String(cursor))
    if (dictionary !== undefined) query.set('zstdDictionary', String(dictionary))
    return { url: `${host}/xrpc/${NSID}?${query.toString()}`, headers: {} }
  },

  read (text) {
    let frame: Json | null
    try {
      frame = JSON.parse(text)
    } catch (cause) {
      throw new NotAnEvent('no JSON', { cause })
    }
    if (frame?.['$type'] === 'error') {
      return { kind: 'error', error: String(frame['error']), message: String(frame['message'] ?? '') }
    }
    const payload = frame?.['payload'] as Json | null | undefined
    if (frame?.['$type'] !== 'message' || typeof payload !== 'object' || payload === null) {
      throw new NotAnEvent('no message')
    }
    return frameOf(payload)
  }
}

function frameOf (payload: Json): Frame {
  const { $type: type, seq, did, time, ...rest } = payload
  const kind = String(type).split('#')[1] ?? ''
  if (kind === 'info') {
    return {
      kind: 'info',
      isOutdated: payload['name'] === 'OutdatedCursor',
      message: String(payload['message'] ?? payload['name'])
    }
  }
  if (!Number.isSafeInteger(seq)) throw new NotAnEvent('no seq')
  const body = kind === 'commit' ? { commit: rest } : rest
  return { kind: 'event', event: eventOf({ did, time_us: microseconds(time), cursor: seq, kind, ...body }) }
}

/** µs since 1970 of RFC 3339 text with up to nine digits of a second. */
function microseconds (time: unknown): number | undefined {
  const digits = typeof time === 'string' ? TIME.exec(time) : null
  if (digits === null) return undefined
  return Math.floor(Date.parse(time as string) / 1000) * 1e6 + Number((digits[1] ?? '').padEnd(6, '0').slice(0, 6))
}

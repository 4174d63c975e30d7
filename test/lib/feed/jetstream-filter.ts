import type { IncomingHttpHeaders } from 'node:http'
import type { WireEvent } from './jetstream.ts'

/** What is answered in place of an upgrade; of a message, the code and reason that the socket is closed with. */
export class Refusal extends Error {
  readonly status: number
  readonly body: string
  constructor (status: number, body: string) {
    super(body)
    this.status = status
    this.body = body
  }
}

export interface Wanted { wants: (event: WireEvent) => boolean, maxSize: number }

interface Compression { isPossible: boolean, dictionary: number | undefined }

const NSID = /^[a-zA-Z]([a-zA-Z0-9-]*[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?)+(\.[a-zA-Z][a-zA-Z0-9]*)$/
const DID = /^did:[a-z]+:[a-zA-Z0-9._:%-]*[a-zA-Z0-9._-]$/
const INVALID = 'subscribe: invalid options: '

/** @throws Error with what is wrong */
function wanted (collections: string[], dids: string[], kinds: string[], maxSize: number): Wanted {
  const all = new Set(collections)
  if (all.size > 100) throw new Error(`${INVALID}too many wanted collections: > 100`)
  for (const collection of all) {
    if (!NSID.test(collection.endsWith('.*') ? `${collection.slice(0, -1)}x` : collection)) {
      throw new Error(`${INVALID}invalid collection: ${collection}`)
    }
  }
  if (dids.length > 10_000) throw new Error(`${INVALID}too many wanted DIDs: ${dids.length} > 10000`)
  for (const did of dids) if (!DID.test(did)) throw new Error(`${INVALID}invalid DID: ${did}`)
  const accounts = new Set(dids)
  const prefixes = collections.filter(name => name.endsWith('.*')).map(name => name.slice(0, -1))
  return {
    maxSize,
    wants ({ did, kind, commit }) {
      if (kinds.length > 0 && !kinds.includes(kind)) return false
      if (accounts.size > 0 && !accounts.has(did)) return false
      if (all.size === 0 || commit === undefined) return true
      const collection = String(commit['collection'])
      return all.has(collection) || prefixes.some(prefix => collection.startsWith(prefix))
    }
  }
}

const sizeOf = (text: string | null): number => Math.max(0, Number.parseInt(text ?? '0', 10) || 0)

/** @throws Refusal */
export function admitV1 (
  query: URLSearchParams, headers: IncomingHttpHeaders, { isPossible }: Compression
): { wanted: Wanted, zstd: boolean } {
  const zstd = query.get('compress') === 'true' || headers['socket-encoding']?.includes('zstd') === true
  if (zstd && headers['sec-websocket-extensions']?.includes('permessage-deflate') === true) {
    throw new Refusal(
      400,
      'choose one compression scheme: custom zstd (compress=true / Socket-Encoding: zstd) or RFC 7692 ' +
        'permessage-deflate, not both\n'
    )
  }
  if (zstd && !isPossible) throw new Error('this test gave the server no compression')
  try {
    const kinds: string[] = ['commit', 'identity', 'account']
    return {
      zstd,
      wanted: wanted(
        query.getAll('wantedCollections'), query.getAll('wantedDids'), kinds, sizeOf(query.get('maxMessageSizeBytes'))
      )
    }
  } catch (error) {
    throw new Refusal(400, `${(error as Error).message}\n`)
  }
}

/** @throws Refusal */
export function admitV2 (
  query: URLSearchParams, headers: IncomingHttpHeaders, { dictionary }: Compression
): { wanted: Wanted, zstd: boolean } {
  const refuse = (message: string, error = 'InvalidRequest'): Refusal =>
    new Refusal(400, JSON.stringify({ error, message }))
  if (query.get('compress') === 'true' || headers['socket-encoding']?.includes('zstd') === true) {
    throw refuse('compress=true / Socket-Encoding: zstd is the /subscribe (v1) opt-in')
  }
  const asked = query.get('zstdDictionary')
  if (asked !== null && !/^[1-9]\d*$/.test(asked)) {
    throw refuse('zstdDictionary must be a positive integer zstd dictionary ID')
  }
  if (asked !== null && Number(asked) !== dictionary) {
    throw refuse(`unknown zstd dictionary id ${asked}; current dictionary id is ${dictionary}`, 'UnknownZstdDictionary')
  }
  for (const [old, now] of [['wantedDids', 'dids'], ['wantedCollections', 'collections']]) {
    if (query.has(old!)) throw refuse(`${INVALID}${old} is the legacy /subscribe parameter; use ${now}`)
  }
  if (query.has('requireHello')) throw refuse(`${INVALID}requireHello is not supported on this endpoint`)
  const kinds = query.getAll('kinds')
  for (const kind of kinds) {
    if (!['commit', 'identity', 'account', 'sync'].includes(kind)) throw refuse(`${INVALID}invalid kind: ${kind}`)
  }
  if (query.has('collections') && kinds.length > 0 && !kinds.includes('commit')) {
    throw refuse(`${INVALID}collections filter can never apply: kinds excludes commit`)
  }
  try {
    return {
      zstd: asked !== null,
      wanted: wanted(query.getAll('collections'), query.getAll('dids'), kinds, sizeOf(query.get('maxMessageSizeBytes')))
    }
  } catch (error) {
    throw refuse((error as Error).message)
  }
}

/** @throws Refusal */
export function cursorOf (wire: 'v1' | 'v2', text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  const refuse = (problem: string): Refusal => {
    const message = `subscribe: invalid cursor: ${problem}`
    return new Refusal(400, wire === 'v1' ? `${message}\n` : JSON.stringify({ error: 'InvalidRequest', message }))
  }
  if (!/^-?\d+$/.test(text)) throw refuse(JSON.stringify(text))
  if (text.startsWith('-')) throw refuse(`negative value ${text}`)
  return Number(text)
}

/** What a client of v1 sends. @returns undefined for what is ignored. @throws Refusal with the code to close with */
export function optionsUpdate (text: string): Wanted | undefined {
  let message: { type?: string, payload?: unknown }
  try {
    message = JSON.parse(text)
  } catch {
    throw new Refusal(1007, 'bad SubscriberSourcedMessage envelope')
  }
  if (message?.type !== 'options_update') return undefined
  const payload =
    message.payload as { wantedCollections?: string[], wantedDids?: string[], maxMessageSizeBytes?: number } | null
  if (typeof payload !== 'object' || payload === null) throw new Refusal(1007, 'bad options_update payload')
  try {
    return wanted(
      payload.wantedCollections ?? [],
      payload.wantedDids ?? [],
      ['commit', 'identity', 'account'],
      payload.maxMessageSizeBytes ?? 0
    )
  } catch (error) {
    throw new Refusal(1008, (error as Error).message)
  }
}

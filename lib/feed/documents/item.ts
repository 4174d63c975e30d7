import { fields, text } from '../shape/json.ts'
import type { FeedRecord } from '../sinks/sink.ts'
import type { Fields } from './rule.ts'

/** An item as it stands in a document, under its record's URI. Whatever else is there is its readers'. */
export interface Item {
  /** The record's place in the feed */
  number: number
  did: string
  /** ISO 8601, when the stream told of it */
  time: string
  collection: string
  handle: string | null
  name: string | null
  text: string | null
  /** What the rule's function has added */
  data?: Fields
}

/** Fields that are the feed's, and are taken out when an item is blanked. All others are its readers'. */
export const ITEM_FIELDS: readonly string[] = ['number', 'did', 'time', 'collection', 'handle', 'name', 'text', 'data']

/** What an item is marked with when it may not be shown any more: nothing of it is left but its place. */
export const BLANK = 'blank'

/** What the thread says of a document that was let go to make room for others. */
export const NOT_OPEN = 'the document is not open'

const MAX_DEPTH = 32
const MAX_BYTES = 64 * 1024

/** @param data what a rule's function adds @throws Error for what no item can be made of */
export function itemOf ({ number, event, hydration }: FeedRecord, data: Fields | undefined): Item {
  const { did, timeUs, commit } = event
  const author = hydration.references[0]
  const profile = author?.role === 'author' && author.text !== null ? fields(JSON.parse(author.text)) : {}
  const item: Item = {
    number,
    did,
    time: new Date(timeUs / 1_000).toISOString(),
    collection: commit?.collection ?? '',
    handle: text(profile.handle) ?? null,
    name: text(profile.displayName) ?? null,
    text: text(fields(commit?.record).text) ?? null,
    ...data !== undefined && { data }
  }
  check(item, 0)
  const size = Buffer.byteLength(JSON.stringify(item))
  if (size > MAX_BYTES) throw new Error(`an item of ${size} bytes, more than ${MAX_BYTES}`)
  return item
}

/** What Automerge could not store, or not read again. */
function check (value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new Error(`an item more than ${MAX_DEPTH} levels deep`)
  if (typeof value === 'number' && !Number.isFinite(value)) throw new Error('an item with a number that JSON has not')
  if (['undefined', 'function', 'symbol', 'bigint'].includes(typeof value)) {
    throw new Error(`an item with a ${typeof value}`)
  }
  if (typeof value !== 'object' || value === null) return
  for (const [key, one] of Object.entries(value)) {
    if (key === '') throw new Error('an item with an empty key')
    check(one, depth + 1)
  }
}

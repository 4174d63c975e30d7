import * as Automerge from '@automerge/automerge'
import { MAX_DEPTH } from '../../automerge/checks/resolution.ts'
import { RelayError } from '../../errors.ts'

// Runs in a worker thread (see workers.ts).

export type Json = null | boolean | number | string | Json[] | JsonObject
export interface JsonObject { [key: string]: Json }

/** Base64 with padding, as the view shows bytes. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
/** The date-time of RFC 3339, which is what `Date` shows and a little more. */
const DATE = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/

export const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a value of a document is a map. */
export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isScalar(value)

// not by Automerge.isCounter, to which the lists of a document that is being changed are counters
const isScalar = (value: object): boolean =>
  value instanceof Date ||
    value instanceof Uint8Array || value instanceof Automerge.Counter || value instanceof Automerge.ImmutableString

/**
 * A value of a document as JSON. Text and strings are strings, counters numbers, dates ISO 8601 (null when they cannot
 * be), bytes base64, integers beyond 2^53 - 1 decimal strings, numbers that JSON has not null. Of a conflict the winner
 * is shown.
 */
export function viewOf (value: unknown): Json {
  switch (typeof value) {
    case 'string': case 'boolean': return value
    case 'number': return Number.isFinite(value) ? value : null
    case 'bigint': return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
    case 'object': return value === null
      ? null
      : Array.isArray(value)
        ? value.map(viewOf)
        : isScalar(value)
          ? viewOfScalar(value)
          : viewOfMap(value)
    default: return null
  }
}

function viewOfScalar (value: object): Json {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
  return viewOf(value instanceof Automerge.Counter ? value.value : String(value))
}

const viewOfMap = (map: object): Json =>
  Object.fromEntries(Object.entries(map).map(([key, value]) => [key, viewOf(value)]))

/** Whether the view of a value is this. */
export function shows (value: unknown, json: Json | undefined): boolean {
  if (Array.isArray(value)) {
    return Array.isArray(json) && value.length === json.length && json.every((one, n) => shows(value[n], one))
  }
  if (!isMap(value)) return value !== undefined && viewOf(value) === json
  if (json === undefined || !isObject(json)) return false
  const keys = Object.keys(value)
  return keys.length === Object.keys(json).length &&
    keys.every(key => Object.hasOwn(json, key) && shows(value[key], json[key]))
}

/** A date, bytes or a string that is no text as another of its type; undefined when the text is none. */
export function scalarLike (value: unknown, text: string): unknown {
  if (value instanceof Date) return DATE.test(text) && !Number.isNaN(Date.parse(text)) ? new Date(text) : undefined
  if (value instanceof Uint8Array) return BASE64.test(text) ? new Uint8Array(Buffer.from(text, 'base64')) : undefined
  return value instanceof Automerge.ImmutableString ? new Automerge.ImmutableString(text) : undefined
}

/** Another of a value of a document, with the types it has there. */
export function copyOf (value: unknown): unknown {
  if (Array.isArray(value)) return Array.from(value, copyOf)
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, copyOf(one)]))
  return value instanceof Automerge.Counter ? new Automerge.Counter(value.value) : value
}

/**
 * Reads JSON that is to be stored.
 * @throws RelayError RELAY_BAD_REQUEST when it is none, RELAY_PATCH_INVALID when no document can hold it
 */
export function parseJson (bytes: Uint8Array): Json {
  let json: Json
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json
  } catch (cause) {
    throw new RelayError('RELAY_BAD_REQUEST', 'the body is not JSON', { cause })
  }
  check(json, 0)
  return json
}

function check (json: Json, depth: number): void {
  if (typeof json !== 'object' || json === null) return
  if (depth > MAX_DEPTH) throw new RelayError('RELAY_PATCH_INVALID', `nested deeper than ${MAX_DEPTH}`)
  if (!Array.isArray(json) && Object.hasOwn(json, '__proto__')) {
    throw new RelayError('RELAY_PATCH_INVALID', 'no document can hold the key __proto__')
  }
  for (const value of Object.values(json)) check(value, depth + 1)
}

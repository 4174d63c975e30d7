import { readRegExp } from './safe-regexp.ts'

/** A kind of value that JSON does not have: `{"__type":id,"value":…}` on the wire. Both sides must know it. */
export interface WireType<T = unknown, Payload = unknown> {
  /** Name on the wire */
  id: string
  is (value: unknown): boolean
  /** What stands for the value; may itself hold values of any wire type. */
  serialize (value: T): Payload
  /** Throws when the payload is none of this type's. */
  deserialize (payload: Payload): T
  /** An empty value to be filled, for types whose values can contain themselves (the graph form). */
  create? (): T
  /**
   * `value`: never referred to in the graph form. Kept for definitions shared with `@bluelibs/runner`; not used here.
   */
  strategy?: 'value' | 'ref'
}

const type = <T, Payload>(definition: WireType<T, Payload>): WireType => definition as WireType

const bad = (id: string): Error => new Error(`not the payload of a ${id}`)

function text (id: string, value: unknown): string {
  if (typeof value !== 'string') throw bad(id)
  return value
}

/** Bytes are lists of numbers on the wire. */
function bytes (id: string, payload: unknown): Uint8Array<ArrayBuffer> {
  if (!Array.isArray(payload)) throw bad(id)
  for (const byte of payload) if (!Number.isInteger(byte) || byte < 0 || byte > 255) throw bad(id)
  return Uint8Array.from(payload)
}

const listed = ({ buffer, byteOffset, byteLength }: ArrayBufferView): number[] =>
  [...new Uint8Array(buffer, byteOffset, byteLength)]

const VIEWS = [
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array,
  Float64Array, BigInt64Array, BigUint64Array
]

const views = VIEWS.map(View => type({
  id: View.name,
  is: value => value instanceof View,
  serialize: listed,
  deserialize: (payload: unknown) => {
    const read = bytes(View.name, payload)
    if (read.length % View.BYTES_PER_ELEMENT !== 0) throw bad(View.name)
    return new View(read.buffer)
  }
}))

/** Well-known symbols by their names in `Symbol`. */
const WELL_KNOWN = [
  'asyncIterator', 'hasInstance', 'isConcatSpreadable', 'iterator', 'match', 'matchAll', 'replace', 'search', 'species',
  'split', 'toPrimitive',
  'toStringTag', 'unscopables'
] as const

function writeSymbol (symbol: symbol): object {
  const key = Symbol.keyFor(symbol)
  if (key !== undefined) return { kind: 'For', key }
  const name = WELL_KNOWN.find(name => Symbol[name] === symbol)
  if (name === undefined) throw new TypeError('a unique symbol has no name that another process could know it by')
  return { kind: 'WellKnown', key: name }
}

function readSymbol (payload: { kind?: unknown, key?: unknown } | null): symbol {
  const key = text('Symbol', payload?.key)
  if (payload!.kind === 'For') return Symbol.for(key)
  const name = WELL_KNOWN.find(name => name === key)
  if (payload!.kind !== 'WellKnown' || name === undefined) throw bad('Symbol')
  return Symbol[name]
}

/** What an Error has of its own is sent as `customFields`, but for these. */
const NOT_CUSTOM = new Set([
  'name', 'message', 'stack', 'cause', '__proto__', 'constructor', 'prototype', 'toString', 'toLocaleString', 'valueOf',
  'hasOwnProperty',
  'isPrototypeOf', 'propertyIsEnumerable', '__defineGetter__', '__defineSetter__', '__lookupGetter__',
  '__lookupSetter__', 'toJSON'
])

interface ErrorPayload { name: string, message: string, customFields?: object, stack?: string, cause?: unknown }

/** Without its stack: that tells of this machine. */
function writeError (error: Error): ErrorPayload {
  const own = Object.getOwnPropertyNames(error).filter(name => !NOT_CUSTOM.has(name))
    .map(name => [name, Object.getOwnPropertyDescriptor(error, name)!] as const)
    .filter(([, descriptor]) => 'value' in descriptor)
    .map(([name, { value }]) => [name, value])
  const payload = { name: error.name, message: error.message, customFields: Object.fromEntries(own) }
  return Object.hasOwn(error, 'cause') ? { ...payload, cause: error.cause } : payload
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function readError (payload: unknown): Error {
  if (!isRecord(payload)) throw bad('Error')
  const { name, message, stack, customFields = {} } = payload
  if (!isRecord(customFields) || (stack !== undefined && typeof stack !== 'string')) throw bad('Error')
  const error = new Error(
    text('Error', message), Object.hasOwn(payload, 'cause') ? { cause: payload['cause'] } : undefined
  )
  const hidden = (value: unknown): PropertyDescriptor =>
    ({ value, writable: true, configurable: true, enumerable: false })
  error.name = text('Error', name)
  if (stack !== undefined) Object.defineProperty(error, 'stack', hidden(stack))
  for (const [key, value] of Object.entries(customFields)) {
    if (!NOT_CUSTOM.has(key)) Object.defineProperty(error, key, { ...hidden(value), enumerable: true })
  }
  return error
}

const NON_FINITE: Record<string, number> = { NaN, Infinity, '-Infinity': -Infinity }

function readDate (payload: unknown): Date {
  const date = new Date(payload as string)
  if (Number.isNaN(date.getTime())) throw bad('Date')
  return date
}

function list (id: string, payload: unknown): unknown[] {
  if (!Array.isArray(payload)) throw bad(id)
  return payload
}

/**
 * The types every peer knows (tunnel wire of `@bluelibs/runner` 5.5): those of 5.0, and from `Error` on those of 5.2.
 * The first that fits a value is used.
 */
export const builtInTypes: readonly WireType[] = [
  type({
    id: 'Date', is: value => value instanceof Date, serialize: (date: Date) => date.toISOString(), deserialize: readDate
  }),
  type({
    id: 'RegExp',
    is: value => value instanceof RegExp,
    serialize: ({ source, flags }: RegExp) => ({ pattern: source, flags }),
    deserialize: payload =>
      readRegExp((payload as { pattern?: unknown } | null)?.pattern, (payload as { flags?: unknown } | null)?.flags)
  }),
  type({
    id: 'Map',
    is: value => value instanceof Map,
    serialize: (map: Map<unknown, unknown>) => [...map],
    deserialize: payload => new Map(list('Map', payload) as Array<[unknown, unknown]>),
    create: () => new Map()
  }),
  type({
    id: 'Set',
    is: value => value instanceof Set,
    serialize: (set: Set<unknown>) => [...set],
    deserialize: payload => new Set(list('Set', payload)),
    create: () => new Set()
  }),
  type({ id: 'Undefined', is: value => value === undefined, serialize: () => null, deserialize: () => undefined }),
  type({
    id: 'NonFiniteNumber',
    is: value => typeof value === 'number' && !Number.isFinite(value),
    serialize: String,
    deserialize: payload => {
      if (typeof payload !== 'string' || !Object.hasOwn(NON_FINITE, payload)) throw bad('NonFiniteNumber')
      return NON_FINITE[payload]
    }
  }),
  type({
    id: 'BigInt',
    is: value => typeof value === 'bigint',
    serialize: String,
    deserialize: payload => {
      // the time to read one grows faster than its length: 2 MB of digits would take seconds
      const [, sign, digits] = /^\s*([+-]?)(\d{1,10000})\s*$/.exec(text('BigInt', payload)) ?? []
      if (digits === undefined) throw bad('BigInt')
      return sign === '-' ? -BigInt(digits) : BigInt(digits)
    }
  }),
  type({ id: 'Symbol', is: value => typeof value === 'symbol', serialize: writeSymbol, deserialize: readSymbol }),
  type({ id: 'Error', is: value => value instanceof Error, serialize: writeError, deserialize: readError }),
  type({
    id: 'URL',
    is: value => value instanceof URL,
    serialize: ({ href }: URL) => href,
    deserialize: payload => new URL(text('URL', payload))
  }),
  type({
    id: 'URLSearchParams',
    is: value => value instanceof URLSearchParams,
    serialize: String,
    deserialize: payload => new URLSearchParams(text('URLSearchParams', payload))
  }),
  type({
    id: 'ArrayBuffer',
    is: value => value instanceof ArrayBuffer,
    serialize: (buffer: ArrayBuffer) => [...new Uint8Array(buffer)],
    deserialize: payload => bytes('ArrayBuffer', payload).buffer
  }),
  type({
    id: 'DataView',
    is: value => value instanceof DataView,
    serialize: listed,
    deserialize: payload => new DataView(bytes('DataView', payload).buffer)
  }),
  type({
    id: 'Buffer',
    is: value => Buffer.isBuffer(value),
    serialize: listed,
    deserialize: payload => Buffer.from(bytes('Buffer', payload))
  }),
  ...views
]

import { isGraph, readGraph } from './graph.ts'
import {
  MAX_DEPTH, MAY_BE_MARKED, checkDepth, escapeKey, isReserved, isTagged, isUnsafe, unescapeKey
} from './marks.ts'
import { builtInTypes, type WireType } from './wire-types.ts'

export type { WireType } from './wire-types.ts'

const tagged = (id: string, value: unknown): object => ({ __type: id, value })

/**
 * Values as text and back: JSON, and `{"__type":…,"value":…}` for what JSON does not have (the tunnel wire of
 * `@bluelibs/runner`, as 5.5 writes it). Also reads the form for graphs, which can hold cycles.
 */
export class Serializer {
  readonly #types = new Map(builtInTypes.map(type => [type.id, type]))
  readonly #custom: WireType[] = []

  /** Adds a type; peers have to know it too. @throws Error when there is one of that id */
  addType<T, Payload> (type: WireType<T, Payload>): this {
    if (this.#types.has(type.id)) throw new Error(`the type ${type.id} exists already`)
    this.#types.set(type.id, type as WireType)
    this.#custom.push(type as WireType)
    return this
  }

  /** @throws Error for what cannot be sent: functions, unique symbols, cycles, nesting beyond 1000 */
  stringify (value: unknown): string {
    if (this.#custom.length === 0 && isJson(value, 0)) return JSON.stringify(value)
    return JSON.stringify(this.#write(value, 0, new Set()))
  }

  /** @throws Error for text that is not of this format, and for values that would be unsafe to make */
  parse (text: string): unknown {
    const value: unknown = JSON.parse(text)
    if (text.length < 2 * MAX_DEPTH && !MAY_BE_MARKED.test(text)) return value // nor can it be too deep
    if (!hasMarks(value, 0)) return value
    return isGraph(value) ? readGraph(value, id => this.typeOf(id)) : this.#read(value, 0)
  }

  /** @throws Error when nobody has added it */
  typeOf (id: string): WireType {
    const type = this.#types.get(id)
    if (type === undefined) throw new Error(`unknown type ${id}`)
    return type
  }

  #write (value: unknown, depth: number, within: Set<object>): unknown {
    checkDepth(depth)
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
    if (typeof value === 'number' && Number.isFinite(value)) return value
    if (typeof value === 'function') throw new TypeError('a function cannot be sent')
    if (typeof value !== 'object') {
      const type = this.#find(value)!
      return tagged(type.id, this.#write(type.serialize(value), depth + 1, within))
    }
    if (within.has(value)) throw new TypeError('a value that contains itself cannot be sent')
    within.add(value)
    const written = this.#writeObject(value, depth + 1, within)
    within.delete(value)
    return written
  }

  #writeObject (value: object, depth: number, within: Set<object>): unknown {
    // not map(), which leaves holes out
    if (Array.isArray(value)) return Array.from(value, item => this.#write(item, depth, within))
    const type = this.#find(value)
    if (type === undefined) return this.#writeRecord(value, depth, within)
    const payload = type.serialize(value)
    return tagged(
      type.id, payload === value ? this.#writeRecord(value, depth, within) : this.#write(payload, depth, within)
    )
  }

  #writeRecord (value: object, depth: number, within: Set<object>): object {
    const record: Record<string, unknown> = {}
    for (const [key, item] of Object.entries(value)) {
      if (!isUnsafe(key)) record[escapeKey(key)] = this.#write(item, depth, within)
    }
    return record
  }

  #find (value: unknown): WireType | undefined {
    if (this.#custom.length === 0 && isPlain(value)) return undefined
    for (const type of this.#types.values()) if (type.is(value)) return type
    return undefined
  }

  #read (value: unknown, depth: number): unknown {
    checkDepth(depth)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(item => this.#read(item, depth + 1))
    if (isTagged(value)) return this.typeOf(value.__type).deserialize(this.#read(value.value, depth + 1))
    const record: Record<string, unknown> = {}
    for (const [key, item] of Object.entries(value)) {
      const name = unescapeKey(key)
      if (!isUnsafe(name)) record[name] = this.#read(item, depth + 1)
    }
    return record
  }
}

function isPlain (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Whether `JSON.stringify` alone writes the value as the wire has it. */
function isJson (value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean': return true
    case 'number': return Number.isFinite(value)
    case 'object': break
    default: return false
  }
  if (value === null) return true
  if (depth >= MAX_DEPTH) return false
  if (Array.isArray(value)) {
    for (const item of value) if (!isJson(item, depth + 1)) return false
    return true
  }
  if (!isPlain(value)) return false
  for (const key in value) {
    if (isReserved(key) || !isJson((value as Record<string, unknown>)[key], depth + 1)) return false
  }
  return true
}

/** Whether parsed JSON has a key that is not what it looks like. */
function hasMarks (value: unknown, depth: number): boolean {
  checkDepth(depth)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) {
    for (const item of value) if (hasMarks(item, depth + 1)) return true
    return false
  }
  for (const key in value) {
    if (isReserved(key) || hasMarks((value as Record<string, unknown>)[key], depth + 1)) return true
  }
  return false
}

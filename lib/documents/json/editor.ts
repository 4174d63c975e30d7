import * as Automerge from '@automerge/automerge'
import { isMap, isObject, scalarLike, shows, type Json, type JsonObject } from './json.ts'

/** Where something is in a document; empty for the document itself. */
export type Path = Automerge.Prop[]

const ELEMENTS_AT_ONCE = 1_000 // elements inserted with one call: arguments are on the stack

/**
 * Changes a document so that it shows as JSON says, and no more of it than must be changed: text is spliced, maps and
 * lists stay those that others may be editing.
 */
export class Editor {
  readonly #root: Automerge.Doc<Record<string, unknown>>

  /** @param root what `Automerge.change` hands over */
  constructor (root: Automerge.Doc<Record<string, unknown>>) {
    this.#root = root
  }

  /** What is there; undefined where nothing is. */
  at (path: Path): unknown {
    return path.reduce<unknown>(
      (value, key) => isMap(value) || Array.isArray(value)
        ? (value as Record<Automerge.Prop, unknown>)[key]
        : undefined,
      this.#root
    )
  }

  /**
   * Makes it show as a value. What shows so already is left; a counter is incremented; a date, bytes or a string that
   * is no text stay that when the value is fit for it.
   */
  set (path: Path, value: Json): void {
    const current = this.at(path)
    if (isMap(current) && isObject(value)) this.#setFields(path, current, value)
    else if (Array.isArray(current) && Array.isArray(value)) this.#setElements(path, current, value)
    else if (current === undefined || !shows(current, value)) this.#setScalar(path, current, value)
  }

  /** Applies a JSON Merge Patch (RFC 7396) to a map. */
  merge (path: Path, patch: JsonObject): void {
    for (const [key, value] of Object.entries(patch)) {
      const there = [...path, key]
      const current = this.at(there)
      if (value === null) {
        if (current !== undefined) this.remove(there)
      } else if (!isObject(value)) this.set(there, value)
      else if (isMap(current)) this.merge(there, value)
      else this.put(there, withoutNulls(value))
    }
  }

  /**
   * Puts JSON or values of a document there; in a list, over an element. Strings become text that can be edited, whole
   * numbers integers.
   */
  put (path: Path, value: unknown): void {
    this.#parent(path)[path.at(-1)!] = storable(value)
    this.#putLarge(path, value)
  }

  /** Puts values into a list, before an element. */
  insert (path: Path, values: unknown[]): void {
    const list = this.#parent(path) as unknown as unknown[]
    const at = path.at(-1) as number
    for (let n = 0; n < values.length; n += ELEMENTS_AT_ONCE) {
      list.splice(at + n, 0, ...values.slice(n, n + ELEMENTS_AT_ONCE).map(storable))
    }
    values.forEach((value, n) => { this.#putLarge([...path.slice(0, -1), at + n], value) })
  }

  remove (path: Path): void {
    const parent = this.#parent(path)
    if (Array.isArray(parent)) parent.splice(path.at(-1) as number, 1)
    else delete parent[path.at(-1)!]
  }

  /**
   * Whole numbers that are no integers of Automerge's, each by itself: inside of others Automerge does not take them
   * for what they are.
   */
  #putLarge (path: Path, value: unknown): void {
    if (isLarge(value)) this.#parent(path)[path.at(-1)!] = new Automerge.Float64(value)
    else if (Array.isArray(value)) value.forEach((one, n) => { this.#putLarge([...path, n], one) })
    else if (isMap(value)) for (const [key, one] of Object.entries(value)) this.#putLarge([...path, key], one)
  }

  #parent (path: Path): Record<Automerge.Prop, unknown> {
    return this.at(path.slice(0, -1)) as Record<Automerge.Prop, unknown>
  }

  #setFields (path: Path, current: Record<string, unknown>, value: JsonObject): void {
    for (const key of Object.keys(current)) if (!Object.hasOwn(value, key)) this.remove([...path, key])
    for (const [key, field] of Object.entries(value)) this.set([...path, key], field)
  }

  /**
   * What is the same at the start and at the end is left; of the rest, elements are changed in place as far as there
   * are both.
   */
  #setElements (path: Path, current: unknown[], values: Json[]): void {
    const both = Math.min(current.length, values.length)
    let start = 0
    while (start < both && shows(current[start], values[start])) start++
    let end = 0
    while (end < both - start && shows(current[current.length - 1 - end], values[values.length - 1 - end])) end++
    for (let n = start; n < both - end; n++) this.set([...path, n], values[n]!)
    if (current.length > values.length) current.splice(both - end, current.length - values.length)
    else this.insert([...path, both - end], values.slice(both - end, values.length - end))
  }

  #setScalar (path: Path, current: unknown, value: Json): void {
    if (typeof current === 'string' && typeof value === 'string' && canSplice(path)) {
      Automerge.updateText(
        this.#parent(path), path.slice(-1), value
      )
    } else if (current instanceof Automerge.Counter && Number.isSafeInteger(value)) {
      current.increment(value as number - current.value)
    } else this.put(path, (typeof value === 'string' ? scalarLike(current, value) : undefined) ?? value)
  }
}

/** Automerge joins the parts of a path with slashes: of text whose key has one, it would take another. */
const canSplice = (path: Path): boolean => path.at(-1) !== '' && !String(path.at(-1)).includes('/')

const isLarge = (value: unknown): value is number => Number.isInteger(value) && !Number.isSafeInteger(value)

function storable (value: unknown): unknown {
  if (Array.isArray(value)) return value.map(storable)
  if (isMap(value)) return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, storable(one)]))
  return isLarge(value) ? null : value
}

/** What a merge patch leaves where there was no map. */
function withoutNulls (patch: JsonObject): JsonObject {
  const fields = Object.entries(patch).filter(([, value]) => value !== null)
  return Object.fromEntries(fields.map(([key, value]) => [key, isObject(value) ? withoutNulls(value) : value]))
}

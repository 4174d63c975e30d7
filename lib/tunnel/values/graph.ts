import { checkDepth, isTagged, isUnsafe } from './marks.ts'
import type { WireType } from './wire-types.ts'

/**
 * Values that refer to each other: `{"__graph":true,"root":…,"nodes":{id:{kind,value,type?}}}`, in which
 * `{"__ref":id}` stands for a node.
 */
interface Graph { __graph: true, root: unknown, nodes: Record<string, unknown> }

/** @throws Error when there is no such type */
export type TypeById = (id: string) => WireType

interface Node { kind?: unknown, type?: unknown, value?: unknown }

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const isGraph = (value: unknown): value is Graph =>
  isRecord(value) && value['__graph'] === true &&
    value['root'] !== undefined && typeof value['nodes'] === 'object' && value['nodes'] !== null

/** @throws Error when it is malformed or unsafe */
export function readGraph ({ root, nodes }: Graph, typeOf: TypeById): unknown {
  return new Reader(nodes, typeOf).read(root, 0)
}

class Reader {
  readonly #nodes: Record<string, unknown>
  readonly #typeOf: TypeById
  /** Nodes read, and those being read that can be referred to already. */
  readonly #values = new Map<string, unknown>()
  readonly #unfinished = new Set<string>()

  constructor (nodes: Record<string, unknown>, typeOf: TypeById) {
    this.#nodes = nodes
    this.#typeOf = typeOf
  }

  read (value: unknown, depth: number): unknown {
    checkDepth(depth)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) return value.map(item => this.read(item, depth + 1))
    if (Object.hasOwn(value, '__ref')) return this.#resolve(value as { __ref: unknown }, depth + 1)
    if (isTagged(value)) return this.#typeOf(value.__type).deserialize(this.read(value.value, depth + 1))
    return this.#fill({}, value, depth)
  }

  #fill (target: Record<string, unknown>, source: object, depth: number): object {
    for (const [key, item] of Object.entries(source)) if (!isUnsafe(key)) target[key] = this.read(item, depth + 1)
    return target
  }

  #resolve (reference: { __ref: unknown }, depth: number): unknown {
    checkDepth(depth)
    const id = reference.__ref
    if (typeof id !== 'string' || Object.keys(reference).length > 1) {
      throw new Error('a reference is an id and nothing else')
    }
    if (this.#values.has(id)) return this.#values.get(id)
    if (this.#unfinished.has(id)) throw new Error(`the node ${id} cannot contain itself`)
    if (isUnsafe(id) || !Object.hasOwn(this.#nodes, id) || !isRecord(this.#nodes[id])) throw new Error(`no node ${id}`)
    return this.#readNode(id, this.#nodes[id], depth)
  }

  #readNode (id: string, { kind, type, value }: Node, depth: number): unknown {
    if (kind === 'array' && Array.isArray(value)) {
      const items = new Array<unknown>(value.length)
      this.#values.set(id, items)
      for (const [n, item] of value.entries()) items[n] = this.read(item, depth + 1)
      return items
    }
    if (kind === 'object' && isRecord(value)) {
      const target = {}
      this.#values.set(id, target)
      return this.#fill(target, value, depth)
    }
    if (kind === 'type' && typeof type === 'string') return this.#readTyped(id, type, value, depth)
    throw new Error(`malformed node ${id}`)
  }

  #readTyped (id: string, typeId: string, payload: unknown, depth: number): unknown {
    const type = this.#typeOf(typeId)
    const placeholder = type.create?.()
    if (placeholder === undefined) this.#unfinished.add(id)
    else this.#values.set(id, placeholder)
    const value = type.deserialize(this.read(payload, depth + 1))
    const result = placeholder === undefined ? value : moved(value, placeholder)
    this.#unfinished.delete(id)
    this.#values.set(id, result)
    return result
  }
}

/** What was referred to while it was still empty. */
function moved (value: unknown, into: unknown): unknown {
  if (into instanceof Map && value instanceof Map) for (const [key, item] of value) into.set(key, item)
  else if (into instanceof Set && value instanceof Set) for (const item of value) into.add(item)
  else {
    for (const [key, item] of Object.entries(value as object)) {
      if (!isUnsafe(key)) (into as Record<string, unknown>)[key] = item
    }
  }
  return into
}

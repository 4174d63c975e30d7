import { AsyncLocalStorage } from 'node:async_hooks'
import type { Serializer } from '../values/serializer.ts'

/** Values by context id, as one request brought them */
export type ContextValues = ReadonlyMap<string, unknown>

export interface ContextOptions<T> {
  /** Reads the client's text; with the tunnel's serialiser unless given. Throws to have it ignored. */
  parse?: (text: string) => T
}

/** A value that travels along with a call: the tenant, the language, a trace. */
export interface Context<T> {
  readonly id: string
  /** What the caller of the current task or event sent; undefined when nothing, or nothing readable. */
  use (): T | undefined
}

/**
 * The contexts that are accepted, and where their values are while a handler runs. They come in one header: the
 * serialiser's text of a map from id to text. What is not understood is passed over.
 */
export class Contexts {
  readonly #storage = new AsyncLocalStorage<ContextValues>()
  readonly #parsers = new Map<string, (text: string) => unknown>()
  readonly #serializer: Serializer

  constructor (serializer: Serializer) {
    this.#serializer = serializer
  }

  /** @throws Error when there is one of that id */
  define<T> (id: string, { parse }: ContextOptions<T> = {}): Context<T> {
    if (this.#parsers.has(id)) throw new Error(`the context ${id} exists already`)
    this.#parsers.set(id, parse ?? (text => this.#serializer.parse(text)))
    return { id, use: () => this.#storage.getStore()?.get(id) as T | undefined }
  }

  /** Runs with the values of a header. */
  run<R> (header: string | string[] | undefined, run: () => R): R {
    if (header === undefined || this.#parsers.size === 0) return run()
    return this.#storage.run(this.#read(String(header)), run)
  }

  #read (header: string): ContextValues {
    const values = new Map<string, unknown>()
    const texts = attempt(() => this.#serializer.parse(header))
    if (typeof texts !== 'object' || texts === null) return values
    for (const [id, text] of Object.entries(texts)) {
      const parse = this.#parsers.get(id)
      if (parse === undefined || typeof text !== 'string') continue
      const value = attempt(() => parse(text))
      if (value !== undefined) values.set(id, value)
    }
    return values
  }
}

/** Undefined when it throws: a header nobody can read is as good as none. */
function attempt (run: () => unknown): unknown {
  try {
    return run()
  } catch {
    return undefined
  }
}

import { refusal } from '../errors.ts'
import { Tally } from './tally.ts'
import type { Call } from './call.ts'

/** A compiled schema: whether a value fits, and in `errors` why not (Ajv's own form). May fill in defaults. */
export interface Validate {
  (value: unknown): unknown
  errors?: unknown
}

/** How schemas become functions; Fastify's compilers, where Fastify is around. */
export interface Compilers {
  validator (schema: object): Validate
  serializer (schema: object): (value: unknown) => string
}

export interface EntryOptions {
  /** JSON schema that what is sent has to fit, else its sender gets INVALID_INPUT */
  input?: object
  /** JSON schema that results are written by */
  result?: object
  /** Events only: handlers of several emissions do not depend on each other, so no payload is given back. */
  parallel?: boolean
  /** Whether it can be called from outside, true unless given. */
  exposed?: boolean
  /** Whether it may take the place of one of the same id. */
  replace?: boolean
  /** ms after which its caller gets TIMEOUT; the tunnel's unless given */
  timeout?: number
  /** Calls at once; more get RATE_LIMITED */
  concurrency?: number
}

export type Kind = 'task' | 'event'

export type Handler = (input: never, call: Call) => unknown

/** One task or event. */
export class Entry {
  readonly kind: Kind
  readonly id: string
  readonly handler: (input: unknown, call: Call) => unknown
  readonly options: EntryOptions
  readonly tally = new Tally()
  validate: Validate | undefined
  serialize: ((value: unknown) => string) | undefined

  constructor (kind: Kind, id: string, handler: Handler, options: EntryOptions) {
    this.kind = kind
    this.id = id
    this.handler = handler as (input: unknown, call: Call) => unknown
    this.options = options
  }

  compile ({ validator, serializer }: Compilers): void {
    const { input, result } = this.options
    if (input !== undefined) this.validate = validator(input)
    if (result !== undefined) this.serialize = serializer(result)
  }
}

const NAMES = { task: 'Task', event: 'Event' }

/** The tasks and events there are, by id; they may be added at any time. */
export class Registry {
  readonly #entries = { task: new Map<string, Entry>(), event: new Map<string, Entry>() }
  readonly #allowed: ReadonlySet<string> | undefined
  #compilers: Compilers | undefined

  /** @param allowed ids that may be called, if not all that are registered and exposed */
  constructor (allowed?: readonly string[]) {
    this.#allowed = allowed && new Set(allowed)
  }

  /** @throws Error for an id that is taken, a handler that is none, a schema that cannot be compiled */
  add (kind: Kind, id: string, handler: Handler, options: EntryOptions = {}): void {
    if (typeof id !== 'string' || id === '') throw new TypeError(`a ${kind} needs an id`)
    if (typeof handler !== 'function') throw new TypeError(`the ${kind} ${id} needs a handler`)
    if (this.#entries[kind].has(id) && options.replace !== true) {
      throw new Error(`the ${kind} ${id} is registered already`)
    }
    const entry = new Entry(kind, id, handler, options)
    if (this.#compilers !== undefined) entry.compile(this.#compilers)
    this.#entries[kind].set(id, entry)
  }

  /** Compiles the schemas there are, and from now on those that come. @throws Error for one that cannot be */
  compile (compilers: Compilers): void {
    this.#compilers = compilers
    for (const entry of this.all()) entry.compile(compilers)
  }

  /** @throws TunnelError FORBIDDEN, or NOT_FOUND for an allowed id that is not there */
  find (kind: Kind, id: string): Entry {
    const entry = this.#entries[kind].get(id)
    const isAllowed = this.#allowed === undefined ? entry !== undefined : this.#allowed.has(id)
    if (!isAllowed || entry?.options.exposed === false) throw refusal('FORBIDDEN', `${NAMES[kind]} ${id} not exposed`)
    if (entry === undefined) throw refusal('NOT_FOUND', `${NAMES[kind]} ${id} not found`)
    return entry
  }

  all (): Entry[] {
    return [...this.#entries.task.values(), ...this.#entries.event.values()]
  }

  /** The ids that are there, in the order they came. */
  ids (kind: Kind): string[] {
    return [...this.#entries[kind].keys()]
  }

  /** The ids that can be called. */
  exposed (kind: Kind): string[] {
    return this.ids(kind)
      .filter(id => this.#entries[kind].get(id)!.options.exposed !== false && this.#allowed?.has(id) !== false)
  }
}

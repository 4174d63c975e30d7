import { LRUCache } from 'lru-cache'
import type { Visibility } from './hydrator.ts'

/** What an AppView told of an id: JSON text, and who may see it. */
export interface Found { readonly text: string, readonly visibility: Visibility }

/** Null: the AppView has it not, or the stream says that it is gone. */
export type Known = Found | null

export interface CacheOptions {
  /** bytes of memory, roughly */
  size: number
  /** ms that something is good for */
  ttl: number
  /** ms that it is good for to know that something is not there */
  negativeTtl: number
  /** ms; a clock that does not go back */
  now?: () => number
}

const OVERHEAD = 200 // bytes of an entry besides its texts, roughly
const SETTLING = 10_000 // ms until an AppView has surely indexed what the stream has told
const MAX_CHANGED = 100_000

/**
 * What an AppView has told, for a while. The stream knows better: what it tells of is forgotten or gone at once, and an
 * answer that was asked for before that does not come back.
 */
export class Cache {
  readonly #options: CacheOptions
  readonly #now: () => number
  readonly #entries: LRUCache<string, { known: Known }>
  /** When the stream told of an id. */
  readonly #changed: LRUCache<string, number>
  hits = 0
  misses = 0

  constructor (options: CacheOptions) {
    this.#options = options
    const now = this.#now = options.now ?? (() => performance.now())
    const perf = { now }
    const { size, ttl } = options
    this.#entries = new LRUCache({ maxSize: Math.max(1, size), sizeCalculation: sizeOf, ttlResolution: 0, ttl, perf })
    this.#changed = new LRUCache({ max: MAX_CHANGED, ttl: 2 * SETTLING, ttlResolution: 0, perf })
  }

  /** Bytes of memory, roughly. */
  get bytes (): number { return this.#entries.calculatedSize }

  /** How many ids something is known of. */
  get size (): number { return this.#entries.size }

  /** Undefined when nothing is known. */
  get (id: string): Known | undefined {
    const entry = this.#entries.get(id)
    if (entry === undefined) this.misses++
    else this.hits++
    return entry?.known
  }

  /** Whether something is known of an id; not counted as a hit or a miss. */
  has (id: string): boolean { return this.#entries.has(id) }

  /** An answer. @param asked when the AppView was asked, by the cache's clock @returns what is known now */
  set (id: string, known: Known, asked: number): Known {
    const changed = this.#changed.get(id)
    if (changed !== undefined && asked <= changed) {
      const entry = this.#entries.peek(id)
      return entry === undefined ? known : entry.known
    }
    const { ttl, negativeTtl } = this.#options
    const good = known === null ? negativeTtl : ttl
    // what was asked right after a change may be from before it
    const isSettling = changed !== undefined && asked < changed + SETTLING
    this.#entries.set(id, { known }, { ttl: isSettling ? Math.min(good, SETTLING) : good })
    return known
  }

  /** The stream says that it is another now. */
  forget (id: string): void {
    this.#changed.set(id, this.#now())
    this.#entries.delete(id)
  }

  /** The stream says that it is no more. */
  remove (id: string): void {
    this.#changed.set(id, this.#now())
    this.#entries.set(id, { known: null }, { ttl: this.#options.negativeTtl })
  }

  now (): number { return this.#now() }
}

/** V8 keeps a text of Latin letters in a byte each, any other in two. */
const sizeOf = ({ known }: { known: Known }, id: string): number =>
  OVERHEAD + 2 * (id.length + (known?.text.length ?? 0))

import { LRUCache } from 'lru-cache'
import type { DocumentId } from '../ids.ts'
import type { Slim } from './slim.ts'

/** A bundle in the store, or the one that is served: they may share a root document. */
export type SlimKind = 'stored' | 'served'

interface Cut<T> { version: string, slim: T }

const ENTRY_BYTES = 256 // bytes of an entry, roughly

/** Slim bundles kept ready, the least used ones given up first; one cut at a time for the same answer. */
export class SlimCache {
  readonly #kept: LRUCache<string, Cut<Slim>>
  readonly #pending = new Map<string, Cut<Promise<Slim>>>()

  /** @param size bytes to keep at most */
  constructor (size: number) {
    this.#kept = new LRUCache({
      maxSize: Math.max(1, size), sizeCalculation: ({ slim }) => slim.bytes.length + ENTRY_BYTES
    })
  }

  /** Bytes that are kept. */
  get bytes (): number { return this.#kept.calculatedSize }

  /** The slim bundle cut from this version (the ETag of what it is cut from), cut now unless it is at hand. */
  async get (kind: SlimKind, root: DocumentId, version: string, cut: () => Promise<Slim>): Promise<Slim> {
    const key = keyOf(kind, root)
    for (const known of [this.#kept.get(key), this.#pending.get(key)]) {
      if (known?.version === version) return await known.slim
    }
    const pending = { version, slim: cut() }
    this.#pending.set(key, pending)
    try {
      const slim = await pending.slim
      // forgotten meanwhile: it may hold the root document of before
      if (this.#pending.get(key) === pending) this.#kept.set(key, { version, slim })
      return slim
    } finally {
      if (this.#pending.get(key) === pending) this.#pending.delete(key)
    }
  }

  /** A root document changed: what is cut from now on is new, and what is being cut is not kept. */
  forget (root: DocumentId): void {
    for (const kind of ['stored', 'served'] as const) {
      this.#kept.delete(keyOf(kind, root))
      this.#pending.delete(keyOf(kind, root))
    }
  }
}

const keyOf = (kind: SlimKind, root: DocumentId): string => `${kind} ${root}`

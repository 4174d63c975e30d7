import type { ItemEntry } from './item-file.ts'

/** Where the items of records are, and whose they are. `Home` is what stands for a document. */
export class Places<Home> {
  readonly #places = new Map<string, { home: Home, entry: ItemEntry }>()
  readonly #accounts = new Map<string, Set<string>>()

  get size (): number { return this.#places.size }

  get (uri: string): { home: Home, entry: ItemEntry } | undefined { return this.#places.get(uri) }

  /** The records of an account that are not gone. */
  of (did: string): string[] { return [...this.#accounts.get(did) ?? []] }

  has (did: string): boolean { return this.#accounts.has(did) }

  /** What is in its file need not be in memory: an item's fields are left out. @returns whether it is new */
  set (home: Home, entry: ItemEntry): boolean {
    const { uri, did, gone } = entry
    const isNew = !this.#places.has(uri)
    this.#places.set(uri, { home, entry: { ...entry, item: undefined } })
    if (gone) this.#leave(did, uri)
    else this.#accounts.set(did, (this.#accounts.get(did) ?? new Set()).add(uri))
    return isNew
  }

  /** A document is no more. */
  forget (home: Home): void {
    for (const [uri, { home: other, entry }] of this.#places) {
      if (other !== home) continue
      this.#places.delete(uri)
      this.#leave(entry.did, uri)
    }
  }

  #leave (did: string, uri: string): void {
    const uris = this.#accounts.get(did)
    if (uris?.delete(uri) === true && uris.size === 0) this.#accounts.delete(did)
  }
}

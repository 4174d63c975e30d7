import { CHUNK_TYPES, splitChunks } from '../../../lib/automerge/format/chunk.ts'
import { SEED, checksumAt, type History } from './automerge-history.ts'

const NOTHING = -2 // not even the seed
const CHECKSUM_AT = 4 // in a chunk

/** What a client has of a history, and what the server has said it has: the newest edit of each writer. */
export class Replica {
  readonly #history: History
  readonly #held: Int32Array
  readonly #confirmed: Int32Array
  /** Edits that came before the one they follow: the server took that for one we have. */
  readonly #early = new Set<number>()
  /** This client's edits that the server has not said it has. */
  readonly #own = new Set<number>()
  readonly #onSeed: () => void
  readonly #onEdit: (edit: number) => void
  #hasSeed = false

  constructor (history: History, onSeed: () => void, onEdit: (edit: number) => void) {
    this.#history = history
    this.#held = new Int32Array(history.writers).fill(NOTHING)
    this.#confirmed = new Int32Array(history.writers).fill(SEED)
    this.#onSeed = onSeed
    this.#onEdit = onEdit
  }

  /** Takes what a message brought, without reading more than checksums. @param heads of the message */
  take (bytes: Uint8Array, heads: string[]): void {
    for (const { type, bytes: chunk } of splitChunks(bytes)) {
      if (type === CHUNK_TYPES.document) {
        this.takeSeed()
        for (const head of heads) this.#takeUpTo(this.#history.withHash(head) ?? SEED)
      } else {
        const edit = this.#history.withChecksum(checksumAt(chunk, CHECKSUM_AT))
        if (edit === SEED) this.takeSeed()
        else if (edit !== undefined) this.#takeEdit(edit)
      }
    }
  }

  /** An edit of this client's own. */
  make (edit: number): void {
    this.#held[edit % this.#history.writers] = edit
    this.#own.add(edit)
  }

  /** The whole seed is here. */
  takeSeed (): void {
    if (this.#hasSeed) return
    this.#hasSeed = true
    this.#held.fill(SEED)
    this.#onSeed()
  }

  #takeUpTo (edit: number): void {
    if (edit === SEED) return
    const writer = edit % this.#history.writers
    for (let n = this.#next(writer); n <= edit; n = this.#next(writer)) this.#takeEdit(n)
  }

  #takeEdit (edit: number): void {
    const writer = edit % this.#history.writers
    if (edit <= this.#held[writer]!) return
    this.#early.add(edit)
    for (let n = this.#next(writer); this.#early.delete(n); n = this.#next(writer)) {
      this.#held[writer] = n
      this.#onEdit(n)
    }
  }

  /** A writer's first edit that is not here. */
  #next (writer: number): number { return this.#after(this.#held[writer]!, writer) }

  /** The edit that follows one of a writer's. */
  #after (edit: number, writer: number): number { return edit <= SEED ? writer : edit + this.#history.writers }

  /** What must be asked for: those of the server's heads that are not here, and what edits that came early follow. */
  missing (heads: string[]): string[] {
    const missing = new Set(heads.filter(head => this.#lacks(head)))
    for (const edit of this.#early) {
      const before = edit - this.#history.writers
      if (!this.#early.has(before)) missing.add(this.#history.hashes[before]!)
    }
    return [...missing].sort()
  }

  #lacks (head: string): boolean {
    const edit = this.#history.withHash(head)
    if (edit === undefined || edit === SEED) return !this.#hasSeed
    return edit > this.#held[edit % this.#history.writers]! && !this.#early.has(edit)
  }

  /** The server has these heads. @returns this client's edits among what it had not said it has */
  confirm (heads: string[]): number[] {
    const own: number[] = []
    const { writers } = this.#history
    for (const head of heads) {
      const edit = this.#history.withHash(head) ?? SEED
      if (edit === SEED) continue
      const writer = edit % writers
      for (let n = this.#after(this.#confirmed[writer]!, writer); n <= edit; n += writers) {
        if (this.#own.delete(n)) own.push(n)
      }
      if (edit > this.#confirmed[writer]!) this.#confirmed[writer] = edit
    }
    return own
  }

  heads (): string[] {
    if (!this.#hasSeed) return []
    const heads: string[] = []
    for (const edit of this.#held) if (edit > SEED) heads.push(this.#history.hashes[edit]!)
    return heads.length > 0 ? heads.sort() : [this.#history.seedHead]
  }

  /** The hashes of what the server has not said it has. */
  unconfirmed (): string[] {
    const hashes: string[] = []
    const { writers } = this.#history
    for (let writer = 0; writer < writers; writer++) {
      for (let n = this.#after(this.#confirmed[writer]!, writer); n <= this.#held[writer]!; n += writers) {
        hashes.push(this.#history.hashes[n]!)
      }
    }
    return hashes
  }
}

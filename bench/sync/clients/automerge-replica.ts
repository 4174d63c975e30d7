import { CHUNK_TYPES, splitChunks } from '../../../lib/automerge/chunk.ts'
import { SEED, checksumAt, type History } from './automerge-history.ts'

const NOTHING = -2 // not even the seed
const CHECKSUM_AT = 4 // in a chunk

/** What a client has of a history, and what the server has said it has: the newest edit of each writer. */
export class Replica {
  /** Edits that came before the one they follow. */
  gaps = 0
  readonly #history: History
  readonly #held: Int32Array
  readonly #confirmed: Int32Array
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
  make (edit: number): void { this.#held[edit % this.#history.writers] = edit }

  /** The whole seed is here. */
  takeSeed (): void {
    if (this.#hasSeed) return
    this.#hasSeed = true
    this.#held.fill(SEED)
    this.#onSeed()
  }

  #takeUpTo (edit: number): void {
    if (edit === SEED) return
    const { writers } = this.#history
    for (let n = this.#after(this.#held[edit % writers]!, edit % writers); n <= edit; n += writers) this.#takeEdit(n)
  }

  #takeEdit (edit: number): void {
    const writer = edit % this.#history.writers
    const held = this.#held[writer]!
    if (edit <= held) return
    if (edit !== this.#after(held, writer)) this.gaps++
    this.#held[writer] = edit
    this.#onEdit(edit)
  }

  /** The edit that follows one of a writer's. */
  #after (edit: number, writer: number): number { return edit <= SEED ? writer : edit + this.#history.writers }

  lacks (head: string): boolean {
    const edit = this.#history.withHash(head)
    if (edit === undefined || edit === SEED) return !this.#hasSeed
    return edit > this.#held[edit % this.#history.writers]!
  }

  /** The server has these heads. @returns the edits it had not said it has before */
  confirm (heads: string[]): number[] {
    const fresh: number[] = []
    const { writers } = this.#history
    for (const head of heads) {
      const edit = this.#history.withHash(head) ?? SEED
      if (edit === SEED) continue
      const writer = edit % writers
      for (let n = this.#after(this.#confirmed[writer]!, writer); n <= edit; n += writers) fresh.push(n)
      if (edit > this.#confirmed[writer]!) this.#confirmed[writer] = edit
    }
    return fresh
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
      for (let n = this.#after(this.#confirmed[writer]!, writer); n <= this.#held[writer]!; n += writers) hashes.push(this.#history.hashes[n]!)
    }
    return hashes
  }
}

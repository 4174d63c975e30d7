import type { Group } from './buffer.ts'

interface LedgerBatch { readonly group: Group, readonly last: number }

/** Which batches every sink that must have them has. The cursor is at the end of the longest run of those. */
export class Ledger {
  readonly #entries: LedgerBatch[] = []

  /** Batches that somebody has not got yet. */
  get size (): number { return this.#entries.length }

  /** A batch is in the records. @param last the last number that was given out, in it or before it */
  add (group: Group, last: number): void {
    this.#entries.push({ group, last })
  }

  /**
   * Takes out the batches that everybody has.
   * @param number the last that all required sinks have made durable
   */
  settle (number: number): Group[] {
    const index = this.#entries.findIndex(({ last }) => last > number)
    return this.#entries.splice(0, index === -1 ? this.#entries.length : index).map(({ group }) => group)
  }
}

import type { Archive } from '../archive/archive.ts'
import type { Batch } from '../sinks/sink.ts'
import type { RecordStore } from '../store/store.ts'

const RECENT = 16 // batches kept in memory
const BATCH = 500 // records read at once

/**
 * What sinks are fed from: memory while they keep up, else the files, and the archive for what is in no file any more.
 */
export class Backlog {
  readonly #store: RecordStore
  readonly #archive: Archive | undefined
  readonly #recent: Batch[] = []

  constructor (store: RecordStore, archive: Archive | undefined) {
    this.#store = store
    this.#archive = archive
  }

  /** A batch was recorded. */
  push (batch: Batch): void {
    this.#recent.push(batch)
    if (this.#recent.length > RECENT) this.#recent.shift()
  }

  /**
   * The records after a number, at most one batch; empty when there are no more. What is kept nowhere any more is
   * passed over.
   */
  async next (after: number): Promise<Batch> {
    if ((this.#recent[0]?.[0]?.number ?? Infinity) <= after + 1) {
      const batch = this.#recent.find(batch => batch.at(-1)!.number > after)
      if (batch === undefined) return []
      return batch[0]!.number > after ? batch : batch.filter(({ number }) => number > after)
    }
    if (after < this.#store.firstNumber - 1) {
      const batch = await this.#archive?.records(after, BATCH) ?? []
      if (batch.length > 0) return batch
    }
    for (let from = after; ;) {
      const { records, next } = await this.#store.rows.records(from, BATCH)
      if (records.length > 0 || next === from) return records
      from = next
    }
  }
}

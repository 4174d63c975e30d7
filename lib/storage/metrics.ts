import { statfs } from 'node:fs/promises'
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { DocumentStore } from './document-store.ts'

/** Counts and measures what is written to the journal. */
export class JournalMeter {
  readonly #commits: Histogram
  readonly #batches: Histogram
  readonly #bytes: Counter

  constructor (registry: Registry) {
    const registers = [registry]
    this.#commits = new Histogram({
      name: 'relay_journal_commit_seconds',
      help: 'Time from taking a batch of changes until it is as durable as configured',
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
      registers
    })
    this.#batches = new Histogram({
      name: 'relay_journal_batch_records',
      help: 'Changes written to the journal together',
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 1024],
      registers
    })
    this.#bytes = new Counter({
      name: 'relay_journal_written_bytes_total', help: 'Bytes written to the journal', registers
    })
  }

  /** A batch of changes was written. */
  committed (seconds: number, records: number, bytes: number): void {
    this.#commits.observe(seconds)
    this.#batches.observe(records)
    this.#bytes.inc(bytes)
  }
}

/** Puts what the document storage has on its way, and its disk, where Prometheus gets it from. */
export function registerStorageMetrics (documents: DocumentStore, registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    // eslint-disable-next-line no-new
    new Gauge({ name, help, registers: [registry], async collect () { this.set(await read()) } })
  }
  gauge(
    'relay_storage_failing', '1 while nothing can be stored', () => documents.failure === undefined ? 0 : 1
  )
  gauge(
    'relay_storage_backlog_bytes', 'Changes that cannot be stored at the moment, in bytes', () => documents.backlog
  )
  gauge('relay_journal_bytes', 'Bytes written to the journal since it was last folded', () => documents.levels.journal)
  gauge(
    'relay_journal_write_seconds', 'How long the journal’s current write has taken', () => documents.stalled / 1e3
  )
  gauge('relay_fold_backlog_bytes', 'Changes in the journal that are not in the documents’ ' +
    'files yet', () => documents.levels.held)
  gauge('relay_fold_backlog_documents', 'Documents with changes that are not in their ' +
    'files yet', () => documents.levels.documents)
  gauge('relay_damaged_documents', 'Documents read since the start of which something stored is ' +
    'damaged', () => documents.damage.count)
  gauge('relay_compactions_waiting', 'Documents whose files wait to be merged', () => documents.levels.compactions)
  // of a disk that is gone there is nothing to tell, and the figures that there are must not fail with it
  const disk = async (read: (disk: { bavail: number, blocks: number, bsize: number }) => number): Promise<number> =>
    await statfs(documents.folder).then(read, () => Number.NaN)
  gauge('relay_disk_free_bytes', 'Free on the disk of the document ' +
    'storage', () => disk(({ bavail, bsize }) => bavail * bsize))
  gauge('relay_disk_size_bytes', 'Size of the disk of the document ' +
    'storage', () => disk(({ blocks, bsize }) => blocks * bsize))
}

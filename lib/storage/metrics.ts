import { statfs } from 'node:fs/promises'
import { Gauge, type Registry } from 'prom-client'
import type { DocumentStore } from './document-store.ts'

/** Puts what the document storage has on its way, and its disk, where Prometheus gets it from. */
export function registerStorageMetrics (documents: DocumentStore, registry: Registry): void {
  const gauge = (name: string, help: string, read: () => number | Promise<number>): void => {
    new Gauge({ name, help, registers: [registry], async collect () { this.set(await read()) } }) // eslint-disable-line no-new
  }
  gauge('relay_storage_failing', '1 when nothing can be stored at the moment', () => documents.failure === undefined ? 0 : 1)
  gauge('relay_storage_backlog_bytes', 'Changes that cannot go where they belong at the moment', () => documents.backlog)
  gauge('relay_journal_bytes', 'Written to the journal since it was last folded', () => documents.levels.journal)
  gauge('relay_journal_write_seconds', 'How long the journal’s write under way takes by now', () => documents.stalled / 1e3)
  gauge('relay_fold_backlog_bytes', 'Changes in the journal that are not in the documents’ files yet', () => documents.levels.held)
  gauge('relay_fold_backlog_documents', 'Documents with changes that are not in their files yet', () => documents.levels.documents)
  gauge('relay_damaged_documents', 'Documents read since the start of which something stored is damaged', () => documents.damage.count)
  gauge('relay_compactions_waiting', 'Documents whose files wait to be made one', () => documents.levels.compactions)
  // of a disk that is gone there is nothing to tell, and the figures that there are must not fail with it
  const disk = async (read: (disk: { bavail: number, blocks: number, bsize: number }) => number): Promise<number> =>
    await statfs(documents.folder).then(read, () => Number.NaN)
  gauge('relay_disk_free_bytes', 'Free on the disk of the document storage', () => disk(({ bavail, bsize }) => bavail * bsize))
  gauge('relay_disk_size_bytes', 'Size of the disk of the document storage', () => disk(({ blocks, bsize }) => blocks * bsize))
}

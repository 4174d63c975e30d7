import { findChunks, flawOf } from '../automerge/format/find-chunks.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'
import type { StoredChunk } from './chunk-store.ts'

/** What is wrong with a document: with its files, or with what they hold together. */
interface Flaws { files?: string | undefined, changes?: string | undefined }

/**
 * Documents of which something stored cannot be read: cut short by another server that was killed, or changed on the
 * disk. What is whole of them is used, what is not stays where it is. Each is logged once.
 */
export class Damage {
  readonly #log: Log
  readonly #flaws = new Map<DocumentId, Flaws>()
  /** Documents whose checksums are checked each time they are read. */
  readonly #suspects = new Set<DocumentId>()

  constructor (log: Log) {
    this.#log = log
  }

  /** The ids of damaged documents, in no order: those that were read since the start. */
  get ids (): Iterable<DocumentId> { return this.#flaws.keys() }

  get count (): number { return this.#flaws.size }

  /** What is wrong with a document; undefined when nothing is known to be. */
  of (id: DocumentId): string | undefined {
    const flaws = this.#flaws.get(id)
    return flaws && [flaws.files, flaws.changes].filter(text => text !== undefined).join('; ')
  }

  /** Has the checksums of a document checked from now on: it cannot be opened as it is. */
  suspect (id: DocumentId): void { this.#suspects.add(id) }

  /** Parts a document's files into those that are whole and what can be had of the others. */
  sift (id: DocumentId, files: StoredChunk[]): { whole: StoredChunk[], found: Uint8Array[] } {
    const isThorough = this.#suspects.has(id)
    const whole: StoredChunk[] = []
    const found: Uint8Array[] = []
    const flaws: string[] = []
    for (const file of files) {
      const flaw = flawOf(file.data, isThorough)
      if (flaw === undefined) {
        whole.push(file)
        continue
      }
      flaws.push(`${file.key.slice(1).join('/')}: ${flaw}`)
      found.push(...findChunks(file.data).filter(chunk => flawOf(chunk, true) === undefined))
    }
    this.#note(id, 'files', flaws.length === 0 ? undefined : flaws.join(', '))
    return { whole, found }
  }

  /** What is wrong with what the document's files hold together, nothing any more if undefined. */
  found (id: DocumentId, problem: string | undefined): void { this.#note(id, 'changes', problem) }

  #note (id: DocumentId, part: keyof Flaws, problem: string | undefined): void {
    const known = this.#flaws.get(id)
    if (known?.[part] === problem) return
    const flaws = { ...known, [part]: problem }
    if (flaws.files === undefined && flaws.changes === undefined) {
      this.#flaws.delete(id)
      this.#suspects.delete(id)
      this.#log.info({ documentId: id }, 'a damaged document is whole again')
      return
    }
    this.#flaws.set(id, flaws)
    if (known === undefined) {
      this.#log.warn({ documentId: id, problem }, 'a stored document is damaged: what is whole of it is served')
    }
  }
}

import { open, readdir } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import { decodeRecords, isCutShort } from '../storage/local/journal-record.ts'
import { SEGMENT } from '../storage/local/journal.ts'

/** What was read of a segment. `end`: bytes that were whole records; `rest`: what follows them. */
interface Segment { end: number, rest: Buffer, changes: Map<DocumentId, Uint8Array[]>, records: number }

export interface JournalFacts { segments: number, records: number, bytes: number, damaged: string[] }

/**
 * A journal as it is now, read beside the relay that writes it. Segments only grow and are deleted whole, and a segment
 * goes only after what it held is in files; so what is not seen here is seen there, if that is looked at after.
 */
export class JournalView {
  readonly #folder: string
  #segments = new Map<string, Segment>()
  #turn: Promise<void> = Promise.resolve()

  /** @param storage folder of the documents */
  constructor (storage: string) {
    this.#folder = path.join(storage, 'journal')
  }

  /** Reads what has been written since the last time. */
  async refresh (): Promise<void> {
    const turn = this.#turn.then(() => this.#refresh())
    this.#turn = turn.catch(() => {}) // told to who waits for the turn
    await turn
  }

  /** A document's changes, oldest first; an empty one is its deletion. */
  changes (id: DocumentId): Uint8Array[] {
    return [...this.#segments.values()].flatMap(({ changes }) => changes.get(id) ?? [])
  }

  /** The documents that it holds changes of. */
  ids (): Set<DocumentId> {
    return new Set([...this.#segments.values()].flatMap(({ changes }) => [...changes.keys()]))
  }

  facts (): JournalFacts {
    const segments = [...this.#segments]
    return {
      segments: segments.length,
      records: segments.reduce((sum, [, { records }]) => sum + records, 0),
      bytes: segments.reduce((sum, [, { end, rest }]) => sum + end + rest.length, 0),
      damaged: segments.filter(([, { rest }]) => rest.length > 0 && !isCutShort(rest)).map(([name]) => name)
    }
  }

  async #refresh (): Promise<void> {
    const names = await orNothing(() => readdir(this.#folder)) ?? []
    const segments = new Map<string, Segment>()
    const numberOf = (name: string): number => Number(SEGMENT.exec(name)![1])
    for (const name of names.filter(name => SEGMENT.test(name)).sort((a, b) => numberOf(a) - numberOf(b))) {
      const segment = this.#segments.get(name) ?? { end: 0, rest: Buffer.alloc(0), changes: new Map(), records: 0 }
      if (await this.#read(name, segment)) segments.set(name, segment)
    }
    this.#segments = segments
  }

  /** Reads on in a segment; false when it is gone. */
  async #read (name: string, segment: Segment): Promise<boolean> {
    const file = await orNothing(() => open(path.join(this.#folder, name)))
    if (file === undefined) return false
    try {
      const length = (await file.stat()).size - segment.end
      if (length <= segment.rest.length) return true
      const bytes = Buffer.allocUnsafe(length)
      const { bytesRead } = await file.read(bytes, 0, length, segment.end)
      const { records, end } = decodeRecords(bytes.subarray(0, bytesRead))
      for (const { id, changes, chunk } of records) {
        if (chunk !== undefined) continue // it is among the document's files
        const known = segment.changes.get(id)
        if (known === undefined) segment.changes.set(id, [changes])
        else known.push(changes)
      }
      segment.records += records.length
      segment.end += end
      segment.rest = Buffer.from(bytes.subarray(end, bytesRead))
      return true
    } finally {
      await file.close()
    }
  }
}

async function orNothing<T> (run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

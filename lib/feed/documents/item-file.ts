import { appendFile, open, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../errors.ts'
import { writeAtomic } from '../../objects/atomic-file.ts'
import type { Item } from './item.ts'

/** An item of a document; `gone` when its record was deleted: nothing of it is kept then. */
export interface ItemEntry { uri: string, did: string, number: number, gone: boolean, item: Item | undefined }

interface Line { uri: string, item?: Item, gone?: true, did?: string, number?: number }

/**
 * The items of a document in a file beside it, a line each, written before the document is: where a record is when it
 * is deleted, and what is to be shown again of an account that comes back.
 */
export class ItemFile {
  readonly #file: string
  #isTorn = true // until it has been looked at
  #last = 0

  constructor (folder: string, id: string) {
    this.#file = path.join(folder, `${id}.jsonl`)
  }

  /** The highest number of a record in it. */
  get last (): number { return this.#last }

  /** The last of each record. */
  async read (): Promise<Map<string, ItemEntry>> {
    const text = await textOf(this.#file)
    this.#isTorn = text !== '' && !text.endsWith('\n')
    const entries = new Map<string, ItemEntry>()
    for (const line of text.split('\n')) {
      const entry = entryOf(line)
      if (entry === undefined) continue
      entries.set(entry.uri, entry)
      this.#last = Math.max(this.#last, entry.number)
    }
    return entries
  }

  /** On disk when resolved. */
  async append (entries: readonly ItemEntry[]): Promise<void> {
    if (entries.length === 0) return
    this.#last = entries.reduce((most, { number }) => Math.max(most, number), this.#last)
    const text = (this.#isTorn ? '\n' : '') + entries.map(lineOf).join('')
    this.#isTorn = true
    await appendFile(this.#file, text)
    const handle = await open(this.#file, 'r+')
    try {
      await handle.datasync()
    } finally {
      await handle.close()
    }
    this.#isTorn = false
  }

  /** Everything anew. */
  async write (entries: Iterable<ItemEntry>): Promise<void> {
    await writeAtomic(this.#file, Buffer.from([...entries].map(lineOf).join('')), path.dirname(this.#file))
    this.#isTorn = false
  }

  async remove (): Promise<void> { await rm(this.#file, { force: true }) }
}

const lineOf = ({ uri, did, number, gone, item }: ItemEntry): string =>
  `${JSON.stringify(gone ? { uri, did, number, gone } : { uri, item })}\n`

/** Undefined for what is no line, as where a write was cut off. */
function entryOf (text: string): ItemEntry | undefined {
  try {
    const { uri, item, gone, did = item?.did, number = item?.number } = JSON.parse(text) as Line
    if (typeof uri !== 'string' || typeof did !== 'string' || typeof number !== 'number') return undefined
    return { uri, did, number, gone: gone === true, item }
  } catch {
    return undefined
  }
}

async function textOf (file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  }
}

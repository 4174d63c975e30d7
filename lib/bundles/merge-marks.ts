import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import { writeAtomic } from '../objects/atomic-file.ts'

/** A bundle in the store, or a file given in the options. */
export type MarkName = DocumentId | 'served' | 'blank'

/**
 * Which version of each bundle has been merged into document storage: a small file per bundle that holds its ETag, in
 * the same folder as the documents, so that a restart does not read bundles again and a wiped storage does.
 */
export class MergeMarks {
  readonly #folder: string
  readonly #scratch: string

  /** @param scratch folder on the same file system */
  constructor (folder: string, scratch: string) {
    this.#folder = folder
    this.#scratch = scratch
  }

  async has (name: MarkName, etag: string): Promise<boolean> {
    const file = path.join(this.#folder, name)
    try {
      return await readFile(file, 'utf8') === etag
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw failed(file, error)
    }
  }

  async set (name: MarkName, etag: string): Promise<void> {
    const file = path.join(this.#folder, name)
    await writeAtomic(file, Buffer.from(etag), this.#scratch).catch(error => { throw failed(file, error) })
  }
}

const failed = (file: string, error: unknown): RelayError =>
  new RelayError('RELAY_STORAGE_FAILED', `storage ${file}: ${messageOf(error)}`, { cause: error })

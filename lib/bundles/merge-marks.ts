import type { DocumentId } from '../ids.ts'
import type { ObjectStore } from '../objects/object-store.ts'

/** A bundle in the store, or a file given in the options. */
export type MarkName = DocumentId | 'served' | 'blank'

/**
 * Which version of each bundle has been merged into document storage: a small object `merged/<name>` per bundle that
 * holds its ETag, beside the documents, so that a restart does not read bundles again and a wiped storage does. Where
 * the documents are elsewhere the marks are those of that place: `merged/<its id in hex>/<name>`.
 */
export class MergeMarks {
  readonly #objects: ObjectStore
  readonly #folder: string

  /** @param place id of the document storage, if that is elsewhere */
  constructor (objects: ObjectStore, place?: string) {
    this.#objects = objects
    this.#folder = place === undefined ? 'merged' : `merged/${Buffer.from(place).toString('hex')}`
  }

  async has (name: MarkName, etag: string): Promise<boolean> {
    return (await this.#objects.read(`${this.#folder}/${name}`))?.toString() === etag
  }

  async set (name: MarkName, etag: string): Promise<void> {
    await this.#objects.put(`${this.#folder}/${name}`, Buffer.from(etag))
  }
}

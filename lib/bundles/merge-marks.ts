import type { DocumentId } from '../ids.ts'
import type { ObjectStore } from '../objects/object-store.ts'

/** A bundle in the store, or a file given in the options. */
export type MarkName = DocumentId | 'served' | 'blank'

/**
 * Which version of each bundle has been merged into document storage: a small object `merged/<name>` per bundle that
 * holds its ETag, beside the documents, so that a restart does not read bundles again and a wiped storage does.
 */
export class MergeMarks {
  readonly #objects: ObjectStore

  constructor (objects: ObjectStore) {
    this.#objects = objects
  }

  async has (name: MarkName, etag: string): Promise<boolean> {
    return (await this.#objects.read(`merged/${name}`))?.toString() === etag
  }

  async set (name: MarkName, etag: string): Promise<void> {
    await this.#objects.put(`merged/${name}`, Buffer.from(etag))
  }
}

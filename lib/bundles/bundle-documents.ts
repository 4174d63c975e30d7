import { LRUCache } from 'lru-cache'
import type { DocumentId } from '../ids.ts'

/** The documents of one version of a bundle. */
interface Listed { etag: string, ids: ReadonlySet<DocumentId> }

/**
 * Which documents are in which bundle, as uploaded. What they refer to is not: whoever may write in a bundle could
 * otherwise name any document there and read it.
 */
export class BundleDocuments {
  readonly #known = new LRUCache<DocumentId, Listed>({ max: 256 })

  /** @param list reads the bundle, when this is not the version that is known */
  async has (
    bundle: DocumentId, etag: string, document: DocumentId, list: () => Promise<DocumentId[]>
  ): Promise<boolean> {
    let listed = this.#known.get(bundle)
    if (listed?.etag !== etag) {
      listed = { etag, ids: new Set(await list()) }
      this.#known.set(bundle, listed)
    }
    return listed.ids.has(document)
  }
}

import { Buffer } from 'node:buffer'
import type { DocumentId } from '../ids.ts'

/** What a fold is to see to: the document's changes go into a chunk, or its chunks away. */
export interface Folding { readonly id: DocumentId, readonly isDeleted: boolean }

/** What the log holds that is not in the documents' own chunks yet. */
export class PendingChanges {
  /** By document; `#folding` those on their way into chunks. */
  #tail = new Map<DocumentId, Uint8Array[]>()
  #folding = new Map<DocumentId, Uint8Array[]>()
  /** Deleted documents that only the log knows to be. */
  readonly #deleted = new Set<DocumentId>()
  #bytes = 0

  /** Bytes of changes. */
  get bytes (): number { return this.#bytes }

  /** How many documents there are changes of. */
  get documents (): number { return new Set([...this.#tail.keys(), ...this.#folding.keys()]).size }

  add (id: DocumentId, changes: Uint8Array): void {
    const known = this.#tail.get(id)
    if (known === undefined) this.#tail.set(id, [changes])
    else known.push(changes)
    this.#bytes += changes.length
  }

  /** A document was deleted. */
  delete (id: DocumentId): void { this.#deleted.add(id) }

  isDeleted (id: DocumentId): boolean { return this.#deleted.has(id) }

  /** A document's changes, oldest first. */
  of (id: DocumentId): Uint8Array[] {
    return [...this.#folding.get(id) ?? [], ...this.#tail.get(id) ?? []]
  }

  /** The documents that there is something of, deleted ones too. */
  * ids (): Generator<DocumentId> {
    yield * this.#folding.keys()
    yield * this.#tail.keys()
    yield * this.#deleted
  }

  /** Begins a fold of all that is here now. What a failed one left comes first. */
  fold (): Folding[] {
    for (const [id, changes] of this.#tail) this.#folding.set(id, [...this.#folding.get(id) ?? [], ...changes])
    this.#tail = new Map()
    const deleted = new Set(this.#deleted) // of those that come now, the log may hold changes yet
    return [...new Set([...this.#folding.keys(), ...deleted])].map(id => ({ id, isDeleted: deleted.has(id) }))
  }

  /** The changes of a document that are being folded, as one chunk. */
  folding (id: DocumentId): Uint8Array { return Buffer.concat(this.#folding.get(id) ?? []) }

  /** A document is folded. @param bytes of its changes */
  folded ({ id, isDeleted }: Folding, bytes: number): void {
    this.#folding.delete(id)
    this.#bytes -= bytes
    if (isDeleted) this.#deleted.delete(id)
  }
}

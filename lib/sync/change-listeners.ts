import { messageOf } from '../errors.ts'
import type { DocumentId } from '../ids.ts'
import type { Log } from '../log.ts'

type Listener = (id: DocumentId) => void

/** Who is told of changes. That one of them fails is no other's trouble, and not the document's. */
export class ChangeListeners {
  readonly #log: Log
  readonly #listeners = new Set<Listener>()

  constructor (log: Log) {
    this.#log = log
  }

  /** Returns the way to stop. */
  add (listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  tell (id: DocumentId): void {
    for (const listener of this.#listeners) {
      try {
        listener(id)
      } catch (error) {
        this.#log.error({ documentId: id, err: error }, `a listener to changes failed: ${messageOf(error)}`)
      }
    }
  }
}

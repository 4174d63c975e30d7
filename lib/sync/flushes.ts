import type { LiveDocument } from './document/live-document.ts'

/** Flushes documents at the end of the tick, so that what comes in together goes out together. */
export class Flushes {
  readonly #failed: (document: LiveDocument, error: unknown) => void
  #dirty = new Set<LiveDocument>()

  /** @param failed one document could not be flushed; the others were */
  constructor (failed: (document: LiveDocument, error: unknown) => void) {
    this.#failed = failed
  }

  add (document: LiveDocument): void {
    if (this.#dirty.size === 0) setImmediate(() => { this.#flush() })
    this.#dirty.add(document)
  }

  #flush (): void {
    const dirty = this.#dirty
    this.#dirty = new Set()
    for (const document of dirty) {
      try {
        document.flush()
      } catch (error) {
        this.#failed(document, error)
      }
    }
  }
}

import type { Flushable } from './context.ts'

/** Flushes documents at the end of the tick, so that what comes in together goes out together. */
export class Flushes {
  readonly #failed: (document: Flushable, error: unknown) => void
  #dirty = new Set<Flushable>()

  /** @param failed one document could not be flushed; the others were */
  constructor (failed: (document: Flushable, error: unknown) => void) {
    this.#failed = failed
  }

  add (document: Flushable): void {
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

import type { LiveDocument } from './document/live-document.ts'

/** Flushes documents at the end of the tick, so that what comes in together goes out together. */
export class Flushes {
  #dirty = new Set<LiveDocument>()

  add (document: LiveDocument): void {
    if (this.#dirty.size === 0) setImmediate(() => { this.#flush() })
    this.#dirty.add(document)
  }

  #flush (): void {
    const dirty = this.#dirty
    this.#dirty = new Set()
    for (const document of dirty) document.flush()
  }
}

/**
 * What the relay has of each document. A relay answers with the heads it has once they are on its disk, so a document
 * whose heads are among those is durable there.
 */
export class DurableHeads {
  readonly #relay = new Map<string, ReadonlySet<string>>()
  /** What was told of a document when it was last sent. */
  readonly #own = new Map<string, readonly string[]>()
  readonly #unsaved = new Set<string>()
  readonly #listeners = new Set<(documentId: string) => void>()
  readonly #onUnsaved: (documentId: string, unsaved: boolean) => void

  /** @param onUnsaved called when a document begins or ceases to have what the relay has not */
  constructor (onUnsaved: (documentId: string, unsaved: boolean) => void) {
    this.#onUnsaved = onUnsaved
  }

  /** Heads in a message of ours. */
  sent (documentId: string, heads: readonly string[]): void {
    this.#own.set(documentId, heads)
    this.#compare(documentId)
  }

  /** Heads in a message of the relay's. */
  stored (documentId: string, heads: readonly string[]): void {
    this.#relay.set(documentId, new Set(heads))
    this.#compare(documentId)
    for (const listener of this.#listeners) listener(documentId)
  }

  /** Whether the relay has what these heads name, as far as it has told. */
  has (documentId: string, heads: readonly string[]): boolean {
    const known = this.#relay.get(documentId)
    return heads.every(head => known?.has(head) === true)
  }

  /** The heads that were last sent. */
  own (documentId: string): readonly string[] {
    return this.#own.get(documentId) ?? []
  }

  isUnsaved (documentId: string): boolean {
    return this.#unsaved.has(documentId)
  }

  /** Calls back whenever the relay has told of a document; returns the way to stop. */
  onStored (listener: (documentId: string) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Another relay, or one whose storage is another: what was known of the last one says nothing. */
  forget (): void {
    this.#relay.clear()
    for (const documentId of this.#own.keys()) this.#compare(documentId)
  }

  #compare (documentId: string): void {
    const unsaved = !this.has(documentId, this.own(documentId))
    if (unsaved === this.#unsaved.has(documentId)) return
    if (unsaved) this.#unsaved.add(documentId)
    else this.#unsaved.delete(documentId)
    this.#onUnsaved(documentId, unsaved)
  }
}

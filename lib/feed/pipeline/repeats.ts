const WINDOW = 600_000_000 // µs of the stream
const MOST = 200_000 // identities

/** The events of the last minutes by their identity, in two halves of which the older is dropped. */
export class Repeats {
  #young = new Set<string>()
  #old = new Set<string>()
  #youngSince = Infinity

  /** µs since 1970: an event that is older may have been forgotten. -Infinity when nothing has been */
  horizon = -Infinity

  get size (): number { return this.#young.size + this.#old.size }

  /** Whether it was there already; if not, it is from now on. */
  isRepeat (id: string, timeUs: number): boolean {
    if (this.#young.has(id) || this.#old.has(id)) return true
    this.#young.add(id)
    this.#youngSince = Math.min(this.#youngSince, timeUs)
    if (this.#young.size >= MOST / 2 || timeUs - this.#youngSince > WINDOW) this.#turn()
    return false
  }

  /** Takes in what was recorded before. @param entries oldest first @param isAll whether there is nothing older */
  fill (entries: ReadonlyArray<{ id: string, timeUs: number }>, isAll: boolean): void {
    for (const { id, timeUs } of entries) this.isRepeat(id, timeUs)
    if (!isAll && entries.length > 0) this.horizon = Math.max(this.horizon, entries[0]!.timeUs)
  }

  #turn (): void {
    if (this.#old.size > 0) this.horizon = this.#youngSince
    this.#old = this.#young
    this.#young = new Set()
    this.#youngSince = Infinity
  }
}

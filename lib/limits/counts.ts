/** How many of something each key has at the moment, up to as many as it may. */
export class Counts {
  readonly #max: number
  readonly #counts = new Map<string, number>()

  constructor (max: number) {
    this.#max = max
  }

  isFull (key: string): boolean { return this.of(key) >= this.#max }

  of (key: string): number { return this.#counts.get(key) ?? 0 }

  add (key: string): void { this.#counts.set(key, this.of(key) + 1) }

  remove (key: string): void {
    const left = this.of(key) - 1
    if (left > 0) this.#counts.set(key, left)
    else this.#counts.delete(key)
  }
}

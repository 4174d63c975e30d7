/** The methods of each of the relay's paths, as its routes declare them. */
export class Methods {
  readonly #byPath = new Map<string, Set<string>>()
  #isComplete = false

  /** @param path without the relay's prefix. @throws Error when the others have been refused already */
  declare (path: string, methods: readonly string[]): void {
    if (this.#isComplete) {
      throw new Error(
        `${methods.join(', ')} ${path} is declared after relay-routes-methods, which refuses what nobody has declared`
      )
    }
    this.#byPath.set(path, new Set([...this.#byPath.get(path) ?? [], ...methods]))
  }

  /** All of them; no more may follow. */
  complete (): Array<[path: string, methods: ReadonlySet<string>]> {
    this.#isComplete = true
    return [...this.#byPath]
  }
}

/** Runs jobs of the same key one after the other, in the order they came; jobs of different keys at the same time. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<unknown>>()

  async run<T> (key: string, job: () => Promise<T>): Promise<T> {
    const running = (this.#last.get(key) ?? Promise.resolve()).then(job)
    const settled = running.catch(() => {}) // for the next in line; the failure is this caller's
    this.#last.set(key, settled)
    try {
      return await running
    } finally {
      if (this.#last.get(key) === settled) this.#last.delete(key)
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises'

/** The HTTP requests that are being answered. */
export class Requests {
  #count = 0
  #settled: (() => void) | undefined
  readonly #endless = new Set<() => void>()

  /**
   * One has come. What it returns is to be called when it is answered or whoever asked has left; once more does no
   * harm.
   */
  enter (): () => void {
    let isThere = true
    this.#count++
    return () => {
      if (!isThere) return
      isThere = false
      if (--this.#count === 0) this.#settled?.()
    }
  }

  /** The answer of one ends only when it is told to. @returns what is to be called when it has ended otherwise */
  endless (end: () => void): () => void {
    this.#endless.add(end)
    return () => { this.#endless.delete(end) }
  }

  get size (): number { return this.#count }

  /** Ends those that are endless. Resolves when there are none, after so many ms at the latest. */
  async settle (ms: number): Promise<void> {
    for (const end of this.#endless) end()
    if (this.#count === 0) return
    const timer = new AbortController()
    const settled = new Promise<void>(resolve => { this.#settled = resolve })
    await Promise.race([settled, sleep(ms, undefined, { signal: timer.signal }).catch(() => {})]) // aborted just below
    timer.abort()
  }
}

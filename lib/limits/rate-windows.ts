import { LRUCache } from 'lru-cache'

/** How often a source has asked in its window, and how long that still lasts (ms). */
export interface RateWindow { current: number, ttl: number }

const MAX_SOURCES = 5_000

/**
 * Requests by source, in windows that begin with the first: a store of @fastify/rate-limit. Not its own, which goes by
 * the clock on the wall: when that is set back, whoever has met the limit would have to wait for it to come there
 * again.
 */
export class RateWindows {
  readonly #windows = new LRUCache<string, { count: number, until: number }>({ max: MAX_SOURCES })

  incr (source: string, done: (error: Error | null, window: RateWindow) => void, timeWindow: number): void {
    const now = performance.now()
    let window = this.#windows.get(source)
    if (window === undefined || window.until <= now) {
      this.#windows.set(source, window = { count: 0, until: now + timeWindow })
    }
    window.count++
    done(null, { current: window.count, ttl: Math.ceil(window.until - now) })
  }

  /** For routes with limits of their own, which there are not: they would be counted apart. */
  child (): RateWindows { return new RateWindows() }
}

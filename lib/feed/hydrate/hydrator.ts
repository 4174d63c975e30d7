import type { FeedEvent } from '../event.ts'

/** Something that a record names. */
export interface Reference {
  /**
   * What it is to the record: `author`, `mention`, `parent`, `root`, `quote`, `subject`, `via`, `list`, `post`,
   * `pinned`, or an app's own word. A role may be there more than once (mentions); the same id may have several roles.
   */
  readonly role: string
  /** A DID for a profile, an AT-URI for anything else */
  readonly id: string
}

/** A reference and what it refers to. */
export interface Resolved extends Reference {
  /** The AppView's JSON text of it; null when it cannot be had, or is nothing that can be looked up */
  readonly text: string | null
}

/**
 * Who may see a record. `public`: the author's profile was seen, and wants nothing hidden. `authenticated`: its author
 * wants no readers without a login. `hidden`: nobody. `unknown`: the profile was not seen, so hold it back from people.
 */
export type Visibility = 'public' | 'authenticated' | 'hidden' | 'unknown'

/** What was found out about one event. */
export interface Hydration {
  /** In the order of the record, the author first. Empty when nothing was asked. */
  readonly references: readonly Resolved[]
  readonly visibility: Visibility
  /** Whether something that was asked for could not be had */
  readonly partial: boolean
  /** ms since 1970 */
  readonly at: number
}

/** Figures of a hydrator, by name, for `/feed/stats`. */
export type HydratorStats = Readonly<Record<string, number | string | boolean>>

/**
 * Looks up what events refer to.
 *
 * `hydrate` is called with batches in the stream's order. Several may be under way at once and may end in any order:
 * the feed puts them in line again. What the events themselves tell of what is cached (a profile changed, a handle, an
 * account that is gone, a post deleted) is taken in before it returns its promise, so that it holds for every later
 * batch.
 */
export interface Hydrator {
  /**
   * @returns one for each event, in their order. What cannot be had is null and the hydration `partial`: never
   *   rejects for it.
   * Rejects only with `signal`'s reason.
   */
  hydrate: (events: readonly FeedEvent[], signal: AbortSignal) => Promise<Hydration[]>
  stats: () => HydratorStats
  /** Whether calls are held back after failures (the circuit breaker is open) */
  readonly isBroken: boolean
  close: () => Promise<void>
}

/** Looks up nothing: records are the stream's own. */
export const bare: Hydrator = {
  hydrate: async events => {
    const at = Date.now()
    return events.map(() => ({ references: [], visibility: 'unknown' as const, partial: false, at }))
  },
  stats: () => ({}),
  isBroken: false,
  close: async () => {}
}

import { LRUCache } from 'lru-cache'
import type { FeedEvent } from '../event.ts'
import { CALLS, type AppView, type CallKind } from './appview.ts'
import type { Breaker } from './breaker.ts'
import { Cache, type Found, type Known } from './cache.ts'
import type { Hydration, Hydrator, HydratorStats, Resolved, Visibility } from './hydrator.ts'
import { Lookups } from './lookups.ts'
import { partsOf, referencesOf, type ReferenceOptions, type Wanted } from './references.ts'
import { timeOfTid } from './tid.ts'
import { visibilityOf, visibilityOfPost } from './visibility.ts'

export interface AppViewHydratorParts {
  appView: AppView
  breaker: Breaker
  references: ReferenceOptions
  /** bytes of memory for profiles and for posts */
  profiles: number
  posts: number
  /** ms that what was found, and what was not, is good for */
  ttl: number
  negativeTtl: number
  linger?: number
  again?: number
  concurrency?: number
  onFailure?: (error: unknown) => void
}

type Pending = Known | undefined | Promise<Known | undefined>

const PROFILE = 'app.bsky.actor.profile'
const POST = 'app.bsky.feed.post'
const YOUNG = 60_000 // ms: an older post has been indexed, or is gone
const MAX_INACTIVE = 100_000

/** Looks up what events refer to in an AppView. */
export class AppViewHydrator implements Hydrator {
  readonly #parts: AppViewHydratorParts
  readonly #caches: Record<CallKind, Cache>
  readonly #lookups: Record<CallKind, Lookups>
  /** Accounts of which the stream says that they are not active. */
  readonly #inactive = new LRUCache<string, true>({ max: MAX_INACTIVE })
  readonly #closing = new AbortController()
  #partial = 0

  constructor (parts: AppViewHydratorParts) {
    this.#parts = parts
    const { ttl, negativeTtl } = parts
    const profile = new Cache({ size: parts.profiles, ttl, negativeTtl })
    const post = new Cache({ size: parts.posts, ttl, negativeTtl })
    this.#caches = { profile, post }
    this.#lookups = {
      profile: this.#lookupsOf('profile', visibilityOf), post: this.#lookupsOf('post', visibilityOfPost)
    }
  }

  get isBroken (): boolean { return this.#parts.breaker.state !== 'closed' }

  async hydrate (events: readonly FeedEvent[], signal: AbortSignal): Promise<Hydration[]> {
    signal.throwIfAborted()
    for (const event of events) this.#learn(event)
    const found = events.map(event => this.#start(event))
    return await unlessAborted(signal, Promise.all(found.map(async ({ event, wanted, pending }) => {
      const isKnown = !pending.some(one => one instanceof Promise) // as nearly all is: nothing is waited for then
      return this.#hydration(event, wanted, isKnown ? pending as Array<Known | undefined> : await Promise.all(pending))
    })))
  }

  stats (): HydratorStats {
    const { appView, breaker } = this.#parts
    const { profile, post } = this.#caches
    return {
      calls: appView.calls,
      failures: appView.failures,
      refusals: appView.refusals,
      breaker: breaker.state,
      waiting: this.#lookups.profile.waiting + this.#lookups.post.waiting,
      partial: this.#partial,
      profileHits: profile.hits,
      profileMisses: profile.misses,
      profileBytes: profile.bytes,
      postHits: post.hits,
      postMisses: post.misses,
      postBytes: post.bytes
    }
  }

  async close (): Promise<void> {
    this.#closing.abort(new Error('the feed is closing'))
    for (const lookups of Object.values(this.#lookups)) lookups.close()
  }

  #lookupsOf (kind: CallKind, visibility: (row: unknown) => Visibility): Lookups {
    const { appView, linger = 10, again = 3_000, concurrency = 6, onFailure } = this.#parts
    const ask = async (ids: readonly string[]): Promise<Map<string, Found>> => {
      const found = new Map<string, Found>()
      for (const row of await appView.ask(kind, ids, this.#closing.signal)) {
        const id = (row as Record<string, unknown> | null)?.[CALLS[kind].id]
        if (typeof id === 'string') found.set(id, { text: JSON.stringify(row), visibility: visibility(row) })
      }
      return found
    }
    return new Lookups({ cache: this.#caches[kind], ask, linger, again, concurrency, onFailure })
  }

  /** What an event itself tells of what is cached. */
  #learn ({ did, uri, kind, commit, account }: FeedEvent): void {
    const { profile, post } = this.#caches
    if (kind === 'identity') profile.forget(did)
    if (account?.active === false) {
      this.#inactive.set(did, true)
      profile.remove(did)
    } else if (account !== undefined) {
      this.#inactive.delete(did)
      profile.forget(did)
    }
    if (commit?.collection === PROFILE) profile.forget(did)
    if (commit?.collection === POST && commit.operation === 'delete') post.remove(uri)
    else if (commit?.collection === POST && (commit.operation !== 'create' || post.has(uri))) post.forget(uri)
  }

  /** What is deleted is shown to nobody, so nothing is asked for it. */
  #start (event: FeedEvent): { event: FeedEvent, wanted: Wanted[], pending: Pending[] } {
    const wanted = event.commit?.operation === 'delete' ? [] : referencesOf(event, this.#parts.references)
    return { event, wanted, pending: wanted.map(one => this.#find(one)) }
  }

  #find ({ role, kind, id }: Wanted): Pending {
    if (kind === 'other') return null
    if (kind === 'profile') return this.#inactive.has(id) ? null : this.#lookups.profile.find(id, role === 'author')
    const { authority, rkey } = partsOf(id)!
    if (this.#inactive.has(authority)) return null
    const time = timeOfTid(rkey)
    return this.#lookups.post.find(id, time === undefined || time > Date.now() - YOUNG)
  }

  #hydration ({ did }: FeedEvent, wanted: readonly Wanted[], known: ReadonlyArray<Known | undefined>): Hydration {
    const references: Resolved[] = wanted.map(({ role, id }, n) => ({ role, id, text: known[n]?.text ?? null }))
    const partial = wanted.some((one, n) => one.kind !== 'other' && known[n] == null)
    if (partial) this.#partial++
    const author = wanted[0]?.role === 'author' ? known[0] : undefined
    return { references, visibility: this.#visibility(did, author), partial, at: Date.now() }
  }

  #visibility (did: string, author: Known | undefined): Visibility {
    return this.#inactive.has(did) ? 'hidden' : author?.visibility ?? 'unknown'
  }
}

/** Rejects with the signal's reason once it is aborted; what is under way is shared with others and goes on. */
async function unlessAborted<T> (signal: AbortSignal, work: Promise<T>): Promise<T> {
  let stop = (): void => {}
  const aborted = new Promise<never>((resolve, reject) => {
    stop = () => { reject(signal.reason) }
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

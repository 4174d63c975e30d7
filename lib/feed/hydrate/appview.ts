import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Breaker } from './breaker.ts'
import type { Account } from './login/credentials.ts'
import type { Pace } from './pace.ts'

/** Somebody to call as, and how often. */
export interface Caller { account: Account, pace: Pace }

export interface AppViewParts {
  /** At least one; calls go to whoever may call soonest */
  callers: readonly Caller[]
  breaker: Breaker
  userAgent: string
  /** ms that one call may take */
  timeout: number
  /** ms that a call waits after the AppView has refused one for calling too often */
  patience: number
  /** ms after which a call that failed is made again, roughly; twice as long the next time */
  backoff?: number
  log: Log
  fetch?: typeof fetch
}

/** A call that came to nothing. */
export class CallFailed extends Error {
  /** The AppView says that something in the call is wrong. */
  readonly isRefused: boolean

  constructor (message: string, { isRefused = false, cause }: { isRefused?: boolean, cause?: unknown } = {}) {
    super(message, { cause })
    this.name = 'CallFailed'
    this.isRefused = isRefused
  }
}

/** By kind: the call, the name of its parameter, the list in its answer, and what a row of that is matched by. */
export const CALLS = {
  profile: { method: 'app.bsky.actor.getProfiles', parameter: 'actors', rows: 'profiles', id: 'did' },
  post: { method: 'app.bsky.feed.getPosts', parameter: 'uris', rows: 'posts', id: 'uri' }
} as const

export type CallKind = keyof typeof CALLS

const ATTEMPTS = 3
const REST = 30_000 // ms that whoever could not log in is left out
const MAX_ANSWER = 16 * 1024 * 1024 // bytes: 25 rows take some hundred kilobytes

type Outcome = { rows: unknown[] } | { failed: CallFailed, isFinal: boolean }

/** Calls an AppView over HTTP: at its pace, again when it fails, not at all for a while when it keeps failing. */
export class AppView {
  readonly #parts: AppViewParts
  readonly #resting = new WeakMap<Caller, number>()
  calls = 0
  failures = 0
  refusals = 0

  constructor (parts: AppViewParts) {
    this.#parts = parts
  }

  /**
   * Asks for up to 25 ids. Rows come in any order, and not for each id.
   * @throws CallFailed, or the signal's reason
   */
  async ask (kind: CallKind, ids: readonly string[], signal: AbortSignal): Promise<unknown[]> {
    const { backoff = 500 } = this.#parts
    const { method, parameter } = CALLS[kind]
    const query = `/xrpc/${method}?${ids.map(id => `${parameter}=${encodeURIComponent(id)}`).join('&')}`
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(query, CALLS[kind].rows, signal)
      if ('rows' in outcome) return outcome.rows
      signal.throwIfAborted()
      if (outcome.isFinal || attempt === ATTEMPTS) throw outcome.failed
      await delay(backoff * 2 ** (attempt - 1) * (0.5 + Math.random() / 2), undefined, { signal })
    }
  }

  async #attempt (query: string, rows: string, signal: AbortSignal): Promise<Outcome> {
    const { breaker, patience } = this.#parts
    if (!breaker.mayPass) return BROKEN
    const caller = this.#next()
    if (caller === undefined) return this.#failed('nobody is logged in', true)
    if (caller.pace.held > patience) return final('the AppView wants no calls for now')
    await caller.pace.turn(signal)
    const authorization = await this.#authorization(caller)
    if (authorization === null) return again('the login failed')
    if (!breaker.tryPass()) return BROKEN
    try {
      return await this.#fetch(`${caller.account.service}${query}`, authorization, signal, async response => {
        caller.pace.told(response)
        const loggedOut = (): void => { if (authorization !== undefined) caller.account.refused(authorization) }
        return await this.#judge(response, rows, loggedOut)
      })
    } catch (error) {
      if (!signal.aborted) return this.#failed(messageOf(error), false, error)
      breaker.cancelled()
      throw signal.reason
    }
  }

  /** Whoever may call soonest. */
  #next (): Caller | undefined {
    const now = performance.now()
    const able = this.#parts.callers.filter(caller => (this.#resting.get(caller) ?? 0) <= now)
    return able.toSorted((a, b) => a.pace.wait - b.pace.wait)[0]
  }

  /** Null when the login failed; others call meanwhile. */
  async #authorization (caller: Caller): Promise<string | undefined | null> {
    try {
      return await caller.account.authorization()
    } catch (error) {
      this.#resting.set(caller, performance.now() + REST)
      const { service } = caller.account
      this.#parts.log.warn({ err: error, service }, `no login for hydration: ${messageOf(error)}`)
      return null
    }
  }

  /** With a time limit that holds for the body too. (`AbortSignal.any` would keep what it is made of for too long.) */
  async #fetch<T> (
    url: string, authorization: string | undefined, signal: AbortSignal, use: (response: Response) => Promise<T>
  ): Promise<T> {
    const { fetch: call = fetch, timeout, userAgent } = this.#parts
    const abort = new AbortController()
    const stop = (): void => { abort.abort(signal.reason) }
    const timer = setTimeout(() => { abort.abort(new Error(`no answer within ${timeout} ms`)) }, timeout)
    signal.addEventListener('abort', stop, { once: true })
    this.calls++
    try {
      const headers = new Headers({ accept: 'application/json', 'user-agent': userAgent })
      if (authorization !== undefined) headers.set('authorization', authorization)
      return await use(await call(url, { headers, redirect: 'error', signal: abort.signal }))
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }

  async #judge (response: Response, rows: string, loggedOut: () => void): Promise<Outcome> {
    const { breaker } = this.#parts
    const { status } = response
    if (status === 429) {
      await response.body?.cancel()
      this.refusals++
      breaker.succeeded() // it is there
      return again('the AppView wants fewer calls')
    }
    const answer = JSON.parse(await textOf(response)) as Record<string, unknown> | null
    const list = answer?.[rows]
    if (status === 200 && Array.isArray(list)) {
      breaker.succeeded()
      return { rows: list }
    }
    const error = typeof answer?.error === 'string' ? answer.error : 'no such list in its answer'
    if (status === 401 || error === 'ExpiredToken') {
      loggedOut()
      breaker.succeeded()
      return again(`the AppView knows no such login: ${error}`)
    }
    if (status === 400 && error === 'InvalidRequest') {
      breaker.succeeded()
      return { failed: new CallFailed('the AppView takes no such call', { isRefused: true }), isFinal: true }
    }
    return this.#failed(`${status} ${error}`, status < 500 && status !== 200)
  }

  #failed (problem: string, isFinal: boolean, cause?: unknown): Outcome {
    this.failures++
    this.#parts.breaker.failed()
    return { failed: new CallFailed(`the AppView failed: ${problem}`, { cause }), isFinal }
  }
}

const final = (problem: string): Outcome => ({ failed: new CallFailed(problem), isFinal: true })

const again = (problem: string): Outcome => ({ failed: new CallFailed(problem), isFinal: false })

const BROKEN = final('the AppView has failed too often')

/** @throws Error for a body that breaks off, or is far larger than any */
async function textOf (response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > MAX_ANSWER) throw new Error(`an answer of more than ${MAX_ANSWER} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

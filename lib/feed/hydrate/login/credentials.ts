import type { Log } from '../../../log.ts'
import { messageOf } from '../../../errors.ts'

/** A login of an account at its host, as `com.atproto.server.createSession` gives it. Secrets: not for any log. */
export interface Tokens { readonly accessJwt: string, readonly refreshJwt: string }

/** Where tokens are kept over a restart: a refresh token is good for one use, and logins are few. */
export interface TokenStore {
  read: (name: string) => Promise<Tokens | undefined>
  write: (name: string, tokens: Tokens) => Promise<void>
}

export interface AccountOptions {
  /** Its host, `https://…` */
  service: string
  /** Handle or DID with an app password */
  login?: { identifier: string, password: string }
  /** Or a session that is there already */
  tokens?: Tokens
  /** What its tokens are kept under */
  name: string
  store?: TokenStore
  userAgent: string
  log: Log
  fetch?: typeof fetch
  /** ms since 1970 */
  now?: () => number
}

/** Somebody to call as. */
export interface Account {
  readonly service: string
  /** What the header `authorization` says; none without a login. Rejects with `LoginFailed` */
  authorization: (signal?: AbortSignal) => Promise<string | undefined>
  /** The host has refused this one. */
  refused: (authorization: string) => void
}

/** Nobody is logged in. */
export class LoginFailed extends Error {
  constructor (message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'LoginFailed'
  }
}

interface LoginAnswer { status: number, tokens?: Tokens, problem?: string }

const EARLY = 60_000 // ms before its end that a token is refreshed
const BETWEEN_LOGINS = 300_000 // ms: a host allows 300 a day
const BETWEEN_REFRESHES = 10_000 // ms after one that failed
const TIMEOUT = 15_000

/** Calls without a login. */
export const nobody = (service: string): Account =>
  ({ service, authorization: async () => undefined, refused: () => {} })

/**
 * A login that is kept: refreshed before it ends, kept over restarts, and made anew only when it cannot be refreshed,
 * at most every five minutes. A password that was refused is not tried again.
 */
export class LoggedIn implements Account {
  readonly service: string
  readonly #options: AccountOptions
  readonly #now: () => number
  #tokens: Tokens | undefined
  #isStale = false
  #opened: Promise<void> | undefined
  #renewing: Promise<void> | undefined
  #notBefore = 0
  #lastLogin = -Infinity
  #isWrong = false

  constructor (options: AccountOptions) {
    this.service = options.service
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  async authorization (): Promise<string> {
    await (this.#opened ??= this.#open())
    const isDue = this.#tokens === undefined || this.#isStale || endOf(this.#tokens.accessJwt) - EARLY < this.#now()
    if (isDue) {
      await (this.#renewing ??= this.#renew().finally(() => { this.#renewing = undefined }))
    }
    return `Bearer ${this.#tokens!.accessJwt}`
  }

  refused (authorization: string): void {
    if (authorization === `Bearer ${this.#tokens?.accessJwt}`) this.#isStale = true
  }

  async #open (): Promise<void> {
    const { store, name, tokens, log } = this.#options
    try {
      this.#tokens = await store?.read(name)
    } catch (error) {
      log.warn({ err: error }, 'the kept login for hydration cannot be read')
    }
    this.#tokens ??= tokens
  }

  async #renew (): Promise<void> {
    if (this.#now() < this.#notBefore) throw new LoginFailed('the login failed a moment ago')
    this.#notBefore = this.#now() + BETWEEN_REFRESHES
    const tokens = (this.#tokens === undefined ? undefined : await this.#refresh(this.#tokens)) ?? await this.#login()
    this.#tokens = tokens
    this.#isStale = false
    this.#notBefore = 0
    const { store, name, log } = this.#options
    try {
      await store?.write(name, tokens)
    } catch (error) {
      log.error({ err: error }, `the login for hydration cannot be kept for a restart: ${messageOf(error)}`)
    }
  }

  /** Undefined when the host takes the refresh token no more. */
  async #refresh ({ refreshJwt }: Tokens): Promise<Tokens | undefined> {
    const authorization = `Bearer ${refreshJwt}`
    const { status, tokens, problem } = await this.#post('com.atproto.server.refreshSession', { authorization })
    if (tokens !== undefined) return tokens
    if (status === 400 || status === 401 || status === 403) return undefined
    throw new LoginFailed(`the login cannot be refreshed: ${problem}`)
  }

  async #login (): Promise<Tokens> {
    const { login, name } = this.#options
    if (login === undefined) {
      this.#notBefore = Infinity
      throw new LoginFailed(`the session ${name} has ended, and there is no password to log in with`)
    }
    if (this.#isWrong) throw new LoginFailed(`the password of ${login.identifier} was refused`)
    if (this.#now() < this.#lastLogin + BETWEEN_LOGINS) throw new LoginFailed('logged in less than five minutes ago')
    this.#lastLogin = this.#now()
    const headers = { 'content-type': 'application/json' }
    const { status, tokens, problem } = await this.#post(
      'com.atproto.server.createSession', headers, JSON.stringify(login)
    )
    if (tokens !== undefined) return tokens
    this.#isWrong = status === 400 || status === 401 || status === 403
    const { identifier } = login
    if (this.#isWrong) {
      this.#options.log.error({ identifier }, `the login for hydration was refused, for good: ${problem}`)
    }
    throw new LoginFailed(`the login failed: ${problem}`)
  }

  async #post (method: string, headers: Record<string, string>, body?: string): Promise<LoginAnswer> {
    const { fetch: call = fetch, userAgent } = this.#options
    try {
      const signal = AbortSignal.timeout(TIMEOUT)
      const request = {
        method: 'POST', headers: { ...headers, 'user-agent': userAgent }, body, signal, redirect: 'error' as const
      }
      const response = await call(`${this.service}/xrpc/${method}`, request)
      const answer = await response.json() as Record<string, unknown> | null
      const { accessJwt, refreshJwt, error = 'without tokens' } = answer ?? {}
      const { ok, status } = response
      if (ok && typeof accessJwt === 'string' && typeof refreshJwt === 'string') {
        return { status, tokens: { accessJwt, refreshJwt } }
      }
      return { status, problem: `${status} ${String(error).slice(0, 100)}` }
    } catch (error) {
      return { status: 0, problem: messageOf(error) }
    }
  }
}

/** ms since 1970 at which a token ends (RFC 7519, `exp`); far away when it does not tell. */
function endOf (token: string): number {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown }
    return typeof exp === 'number' ? exp * 1_000 : Infinity
  } catch {
    return Infinity
  }
}

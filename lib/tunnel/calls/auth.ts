import { timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { refusal } from '../errors.ts'

/** Says whether a request may call tasks and events; one that throws says no. */
export type Validator = (
  request: { headers: IncomingHttpHeaders, method: string, url: string, token: string | undefined }
) => boolean | Promise<boolean>

export interface AuthOptions {
  /** Accepted tokens */
  tokens: string[]
  /** Name of the header that brings one, in lower case */
  tokenHeader: string
  /** Asked when the token is none of these; one of them is enough. */
  validators: Validator[]
  /** Lets everybody in when there are neither tokens nor validators. */
  allowAnonymous: boolean
}

/** Who may call. Without anything configured: nobody. */
export class Auth {
  readonly #options: AuthOptions
  readonly #tokens: Buffer[]
  /** Everybody is let in. */
  readonly isOpen: boolean

  constructor (options: AuthOptions) {
    this.#options = options
    this.#tokens = options.tokens.map(token => Buffer.from(token, 'latin1'))
    this.isOpen = options.tokens.length + options.validators.length === 0 && options.allowAnonymous
  }

  /**
   * Answers at once where it can, for a token or an open tunnel.
   * @param hasOthers whether there are callers whom somebody else lets in
   * @throws TunnelError UNAUTHORIZED or AUTH_NOT_CONFIGURED
   */
  check (
    request: { headers: IncomingHttpHeaders, method?: string | undefined, url?: string | undefined }, hasOthers: boolean
  ): void | Promise<void> {
    if (this.isOpen) return
    const { validators, tokens, tokenHeader } = this.#options
    if (tokens.length + validators.length === 0) throw refusal(hasOthers ? 'UNAUTHORIZED' : 'AUTH_NOT_CONFIGURED')
    const given = request.headers[tokenHeader]
    const token = Array.isArray(given) ? given.join(', ') : given
    if (token !== undefined && this.#accepts(token)) return
    if (validators.length === 0) throw refusal('UNAUTHORIZED')
    return this.#ask({ headers: request.headers, method: request.method ?? '', url: request.url ?? '', token })
  }

  /** In a time that tells nothing of the tokens but their lengths: all of them are compared, and all of each. */
  #accepts (token: string): boolean {
    const given = Buffer.from(token, 'latin1')
    let accepted = false
    for (const known of this.#tokens) {
      accepted = (known.length === given.length && timingSafeEqual(given, known)) || accepted
    }
    return accepted
  }

  async #ask (request: Parameters<Validator>[0]): Promise<void> {
    for (const validator of this.#options.validators) {
      try {
        if (await validator(request) === true) return
      } catch {
        // says no, as documented
      }
    }
    throw refusal('UNAUTHORIZED')
  }
}

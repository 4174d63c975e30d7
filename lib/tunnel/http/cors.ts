import type { IncomingHttpHeaders } from 'node:http'

/** `true` or the origin itself to let it in */
export type OriginTest = (origin: string | undefined) => boolean | string | undefined

export interface CorsOptions {
  /** Origins that may read answers: `*` for all */
  corsOrigins: Array<string | RegExp> | OriginTest
  /** Whether they may send cookies; not together with `*` */
  corsCredentials: boolean
}

/** Headers as Node's `writeHead` takes them: names and values in turn. */
export type FlatHeaders = string[]

/** What browsers are told (fetch standard, "CORS protocol"). A refused origin can still send: it only cannot read. */
export class Cors {
  readonly #isOpen: boolean
  readonly #always: FlatHeaders
  readonly #allows: OriginTest

  constructor ({ corsOrigins, corsCredentials }: CorsOptions) {
    this.#allows = typeof corsOrigins === 'function' ? corsOrigins : listTest(corsOrigins)
    this.#isOpen = Array.isArray(corsOrigins) && corsOrigins.includes('*') && !corsCredentials
    const credentials = corsCredentials ? ['access-control-allow-credentials', 'true'] : []
    this.#always = this.#isOpen ? ['access-control-allow-origin', '*'] : ['vary', 'Origin', ...credentials]
  }

  /** For every answer under the base */
  headers ({ origin }: IncomingHttpHeaders): FlatHeaders {
    if (this.#isOpen) return this.#always
    const allowed = this.#allows(origin)
    const value = allowed === true ? origin : allowed
    return typeof value === 'string' && value !== ''
      ? ['access-control-allow-origin', value, ...this.#always]
      : this.#always
  }

  /** For the answer to an OPTIONS request */
  preflight (headers: IncomingHttpHeaders): FlatHeaders {
    const asked = headers['access-control-request-headers']
    return [
      ...this.headers(headers), 'access-control-allow-methods', 'POST, OPTIONS',
      ...(asked === undefined ? [] : ['access-control-allow-headers', asked]), 'content-length', '0'
    ]
  }
}

const listTest = (origins: Array<string | RegExp>): OriginTest => origin =>
  origin !== undefined && origins.some(allowed => typeof allowed === 'string'
    ? allowed === origin
    : new RegExp(allowed.source, allowed.flags.replace(/[gy]/g, '')).test(origin))

import { RelayError } from './errors.ts'

/** The origins whose pages may use the relay: those of a comma-separated list, or all without one. */
export class Origins {
  readonly #allowed: ReadonlySet<string> | undefined

  /** @throws RelayError RELAY_BAD_OPTION for what is no origin */
  constructor (list: string | undefined) {
    this.#allowed = list === undefined ? undefined : new Set(list.split(',').map(text => checked(text.trim())))
  }

  get areAll (): boolean { return this.#allowed === undefined }

  /** @param origin of the `Origin` header; who sends none is no page */
  allows (origin: string | undefined): boolean {
    return this.#allowed === undefined || origin === undefined || this.#allowed.has(origin)
  }
}

/** As browsers write it (RFC 6454 section 6.2). */
function checked (text: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null'
  if (origin === text) return text
  const hint = origin === 'null' ? 'https://app.example' : origin
  throw new RelayError('RELAY_BAD_OPTION', `option origins: ${JSON.stringify(text)} is no origin, which is written like ${hint}`)
}

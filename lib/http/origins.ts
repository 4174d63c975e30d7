import { RelayError } from '../errors.ts'

/** The origins whose pages may use the relay: those of a comma-separated list, or all without one. */
export class Origins {
  /** Undefined when they are all */
  readonly list: string[] | undefined
  readonly #allowed: ReadonlySet<string>

  /** @throws RelayError RELAY_BAD_OPTION for what is no origin */
  constructor (list: string | undefined) {
    this.list = list?.split(',').map(text => parseOrigin(text.trim(), 'origins'))
    this.#allowed = new Set(this.list)
  }

  get areAll (): boolean { return this.list === undefined }

  /** @param origin of the `Origin` header; who sends none is no page */
  allows (origin: string | undefined): boolean {
    return this.areAll || origin === undefined || this.#allowed.has(origin)
  }
}

/**
 * An origin of an option, as browsers write it (RFC 6454 section 6.2); another spelling would never be met.
 * @throws RelayError RELAY_BAD_OPTION for what is no origin
 */
export function parseOrigin (text: string, option: string): string {
  const origin = URL.canParse(text) ? new URL(text).origin : 'null'
  if (origin === text) return text
  const hint = origin === 'null' ? 'https://app.example' : origin
  throw new RelayError(
    'RELAY_BAD_OPTION', `option ${option}: ${JSON.stringify(text)} is no origin, which is written like ${hint}`
  )
}

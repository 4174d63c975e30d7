import { decodeProtectedHeader, errors, jwtVerify, type JWTPayload } from 'jose'
import { RelayError, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { Authenticator } from './authenticator.ts'
import type { Credentials } from './credentials.ts'
import { keysUrl, localKeys, remoteKeys, type Keys } from './keys.ts'
import { isPrincipalId, whyNoPrincipalId } from './principal-id.ts'
import type { Principal } from './principal.ts'
import { readRules } from '../rule.ts'
import { WatchedFile } from '../watched-file.ts'

export interface JwtOptions {
  /** File or URL of the keys */
  jwtKeys: string
  jwtIssuer?: string | undefined
  jwtAudience?: string | undefined
  /** ms that clocks may differ */
  jwtTolerance: number
}

/** The claim with a token's own rules. */
const CLAIM = 'relay'

const THREE_PARTS = /^[\w-]+\.[\w-]+\.[\w-]*$/

const refused = (reason: string, cause: unknown): RelayError =>
  new RelayError('RELAY_UNAUTHENTICATED', `The token is not accepted: ${reason}`, { cause })

/** Signed tokens (JWT, RFC 7519) of an issuer whose keys are known. `sub` is the principal; `exp` must be there. */
export class Jwt implements Authenticator {
  readonly #options: JwtOptions
  readonly #keys: () => Keys
  readonly #file: WatchedFile<Keys> | undefined

  /** @throws RelayError RELAY_BAD_OPTION */
  constructor (options: JwtOptions, log: Log) {
    this.#options = options
    const url = keysUrl(options.jwtKeys)
    if (url === undefined) {
      const file = this.#file = new WatchedFile({
        option: 'jwtKeys', file: options.jwtKeys, parse: localKeys, changed: () => {}, log
      })
      this.#keys = () => file.value
    } else {
      const keys = remoteKeys(url)
      this.#keys = () => keys
    }
  }

  readonly authenticate = async ({ token }: Credentials): Promise<Principal | null> => {
    if (token === undefined || !THREE_PARTS.test(token)) return null
    return principalOf(await this.#verify(token), this.#options.jwtTolerance)
  }

  close (): void { this.#file?.close() }

  /** @throws RelayError RELAY_UNAUTHENTICATED, RELAY_TOKEN_EXPIRED, RELAY_KEYS_UNAVAILABLE */
  async #verify (token: string): Promise<JWTPayload> {
    const { jwtIssuer: issuer, jwtAudience: audience, jwtTolerance } = this.#options
    const { algorithms, find } = this.#keys()
    const options = {
      algorithms,
      clockTolerance: jwtTolerance / 1000,
      requiredClaims: ['sub', 'exp'],
      ...issuer !== undefined && { issuer },
      ...audience !== undefined && { audience }
    }
    try {
      let mismatch: unknown = new errors.JWKSNoMatchingKey()
      for (const key of await find(decodeProtectedHeader(token))) {
        try {
          return (await jwtVerify(token, key, options)).payload
        } catch (error) {
          if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
          mismatch = error
        }
      }
      throw mismatch
    } catch (error) {
      if (error instanceof RelayError) throw error
      if (error instanceof errors.JWTExpired) {
        throw new RelayError('RELAY_TOKEN_EXPIRED', 'The token has expired', { cause: error })
      }
      throw refused(messageOf(error), error)
    }
  }
}

function principalOf (claims: JWTPayload, tolerance: number): Principal {
  const { sub: id, exp, [CLAIM]: rules } = claims
  if (!isPrincipalId(id)) throw refused(`nobody can be called what "sub" says: ${whyNoPrincipalId(id)}`, undefined)
  return { id, expires: exp! * 1000 + tolerance, claims, ...rules !== undefined && { rules: ownRules(id, rules) } }
}

/** A token speaks for who holds it and for nobody else. */
function ownRules (id: string, rules: unknown): Principal['rules'] {
  try {
    return readRules({ rules }).map(rule => ({ ...rule, principals: [id] }))
  } catch (error) {
    throw refused(`its claim "${CLAIM}" is not a list of rules: ${messageOf(error)}`, error)
  }
}

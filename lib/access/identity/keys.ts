import { createPublicKey } from 'node:crypto'
import {
  createLocalJWKSet, createRemoteJWKSet, errors, type CryptoKey, type JSONWebKeySet, type JWK, type JWSHeaderParameters
} from 'jose'
import { RelayError } from '../../errors.ts'
import { parseJson } from '../../settings-file.ts'

/** Signatures with a private key, which only the issuer has. `none` and key agreement are not among them. */
const ASYMMETRIC = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']
/** Signatures with a secret that both have; bytes that it has at least (RFC 7518 section 3.2). */
const SYMMETRIC: Record<string, number> = { HS256: 32, HS384: 48, HS512: 64 }

/** Finds the keys that may have signed a token. */
export interface Keys {
  readonly algorithms: string[]
  /** @throws what jose throws; RelayError RELAY_KEYS_UNAVAILABLE when they cannot be fetched */
  find (header: JWSHeaderParameters): Promise<Array<CryptoKey | Uint8Array>>
}

/**
 * Keys of a text: a JSON Web Key Set (RFC 7517), or one public key as PEM. Which algorithm a token may use depends on
 * the kind of key, never on the token alone: a public key is no secret.
 * @throws TypeError
 */
export function localKeys (text: string): Keys {
  const pem = /^-----BEGIN [^]*/m.exec(text) // a comment may come before it
  const keys = pem !== null ? [publicJwk(pem[0])] : readKeySet(text)
  const secrets = keys.filter(({ kty }) => kty === 'oct')
  const set = createLocalJWKSet({ keys: keys.filter(({ kty }) => kty !== 'oct') })
  const hasPublic = keys.length > secrets.length
  return {
    algorithms: [...hasPublic ? ASYMMETRIC : [], ...secrets.length > 0 ? Object.keys(SYMMETRIC) : []],
    find: async header => header.alg !== undefined && header.alg in SYMMETRIC
      ? findSecrets(secrets, header)
      : await findPublic(set, pem === null ? header : withoutName(header))
  }
}

const STEP = 1_000 // ms by which a clock is set, and not only slowed down

/** Between the clock on the wall and one that nobody sets, in ms. */
const clockOffset = (): number => Date.now() - performance.now()

/** Keys of an issuer, fetched when they are needed and again when one is not among them. */
export function remoteKeys (url: URL): Keys {
  let set = createRemoteJWKSet(url)
  let offset = clockOffset()
  const find = async (header: JWSHeaderParameters): Promise<CryptoKey[]> => {
    // jose goes by the clock on the wall: set back, keys would count as fresh for so much longer
    if (clockOffset() < offset - STEP) set = createRemoteJWKSet(url)
    offset = clockOffset()
    try {
      return await findPublic(set, header)
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JOSENotSupported) throw cause
      throw new RelayError(
        'RELAY_KEYS_UNAVAILABLE', 'The keys that verify tokens are not available at the moment', { cause }
      )
    }
  }
  return { algorithms: ASYMMETRIC, find }
}

/** Where keys may be fetched from: by TLS, or from this machine. @throws RelayError RELAY_BAD_OPTION */
export function keysUrl (text: string): URL | undefined {
  if (!/^https?:\/\//i.test(text)) return undefined
  const url = new URL(text)
  const isHere = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (url.protocol === 'https:' || isHere) return url
  throw new RelayError(
    'RELAY_BAD_OPTION', 'option jwtKeys: keys are fetched by https: whoever can change them on the way can be anybody'
  )
}

/** PEM gives a key no name, whatever the issuer calls it. */
const withoutName = ({ kid, ...header }: JWSHeaderParameters): JWSHeaderParameters => header

type PublicSet = (header: JWSHeaderParameters) => Promise<CryptoKey>

/** All that fit: a set may have several without names while they are exchanged. */
async function findPublic (set: PublicSet, header: JWSHeaderParameters): Promise<CryptoKey[]> {
  try {
    return [await set(header)]
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    const keys = []
    for await (const key of error) keys.push(key)
    return keys
  }
}

function findSecrets (secrets: JWK[], { alg = '', kid }: JWSHeaderParameters): Uint8Array[] {
  return secrets
    .filter(secret => kid === undefined || secret.kid === undefined || secret.kid === kid)
    .filter(secret => secret.alg === undefined || secret.alg === alg)
    .map(({ k }) => Buffer.from(k!, 'base64url'))
    .filter(({ length }) => length >= SYMMETRIC[alg]!)
}

const publicJwk = (pem: string): JWK => createPublicKey(pem).export({ format: 'jwk' }) as JWK

function readKeySet (text: string): JWK[] {
  const { keys } = parseJson(text) as Partial<JSONWebKeySet>
  if (!Array.isArray(keys) || keys.length === 0) throw new TypeError('not a key set: { "keys": […] }')
  for (const key of keys) {
    if (key.kty !== 'oct') continue
    const length = Buffer.from(String(key.k), 'base64url').length
    if (length < SYMMETRIC['HS256']!) {
      throw new TypeError(`a secret of ${length} bytes is too short, ${SYMMETRIC['HS256']} are the least`)
    }
  }
  return keys
}

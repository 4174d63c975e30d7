import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from 'jose'
import type { Test } from 'tap'
import { scratch } from '../../../scratch.ts'

export interface Issuer {
  /** The file with its public key */
  file: string
  keys: Awaited<ReturnType<typeof generateKeyPair>>
  /** A token; `sub` is ann and it holds for an hour unless the claims say otherwise. */
  sign (claims?: JWTPayload): Promise<string>
}

/** Somebody who signs tokens. */
export async function issuer (t: Test, alg = 'ES256'): Promise<Issuer> {
  const keys = await generateKeyPair(alg, { extractable: true })
  const folder = await scratch(t, {
    'keys.json': JSON.stringify({ keys: [{ ...await exportJWK(keys.publicKey), kid: 'one', alg }] })
  })
  return {
    file: `${folder}/keys.json`,
    keys,
    sign: async claims =>
      await new SignJWT({ sub: 'ann', exp: seconds(3600), ...claims }).setProtectedHeader({ alg, kid: 'one' })
        .sign(keys.privateKey)
  }
}

/** NumericDate (RFC 7519) so many seconds from now. */
export const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow

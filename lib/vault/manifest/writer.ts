import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose'

/** PKCS #8 of an Ed25519 key before its 32 bytes of seed (RFC 8410, section 10.3). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Whoever signs manifests. */
export interface Writer { readonly key: KeyObject, readonly jwk: JWK, readonly kid: string }

/** The writer of a seed of 32 bytes: all relays with one cluster key are one. */
export async function writerOf (seed: Uint8Array): Promise<Writer> {
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' })
  const { kty, crv, x } = await exportJWK(createPublicKey(key))
  const jwk = { kty, crv, x } as JWK
  return { key, jwk, kid: await calculateJwkThumbprint(jwk) }
}

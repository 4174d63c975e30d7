import { randomBytes } from 'node:crypto'
import { Compile } from 'typebox/compile'
import { NONCE_BYTES, openSmall, sealSmall } from '../ces/cipher/cipher.ts'
import { nodeCipher } from '../ces/cipher/node-cipher.ts'
import { RelayError } from '../errors.ts'
import { descriptionSchema, type Description } from './manifest/schema.ts'

const validator = Compile(descriptionSchema)
const aadOf = (seal: Uint8Array): Buffer => Buffer.concat([Buffer.from('RVM1', 'latin1'), seal])

/** What an object is, sealed with its key. */
export function sealDescription (description: Description, key: Uint8Array, seal: Uint8Array): string {
  const json = Buffer.from(JSON.stringify(description))
  return Buffer.from(sealSmall(nodeCipher, key, randomBytes(NONCE_BYTES), json, aadOf(seal))).toString('base64url')
}

/** @throws RelayError RELAY_VAULT_DAMAGED */
export function openDescription (sealed: string, key: Uint8Array, seal: Uint8Array): Description {
  const json = openSmall(nodeCipher, key, Buffer.from(sealed, 'base64url'), aadOf(seal))
  const description: unknown = json === undefined ? undefined : JSON.parse(Buffer.from(json).toString())
  if (!validator.Check(description)) {
    throw new RelayError('RELAY_VAULT_DAMAGED', 'the description of an object does not open')
  }
  return description
}

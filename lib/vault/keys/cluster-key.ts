import { createHash, randomBytes } from 'node:crypto'
import { openSmall, sealSmall, KEY_BYTES, NONCE_BYTES } from '../../ces/cipher/cipher.ts'
import { nodeCipher } from '../../ces/cipher/node-cipher.ts'
import { RelayError } from '../../errors.ts'

const ascii = (text: string): Buffer => Buffer.from(text, 'latin1')

/** The key of a cluster: it wraps the key of each object. */
export class ClusterKey {
  readonly #key: Uint8Array
  /** First 8 bytes of SHA-256(`RVKI` || key), hex: tells keys apart and nothing of them. */
  readonly fingerprint: string

  /** @param key 32 bytes */
  constructor (key: Uint8Array) {
    if (key.length !== KEY_BYTES) {
      throw new RelayError('RELAY_BAD_OPTION', `a vault's key has ${KEY_BYTES} bytes, and not ${key.length}`)
    }
    this.#key = key
    this.fingerprint = createHash('sha256').update(ascii('RVKI')).update(key).digest('hex').slice(0, 16)
  }

  static random (): ClusterKey {
    return new ClusterKey(randomBytes(KEY_BYTES))
  }

  /** An object's key, wrapped for its manifest: 72 bytes. @param nonce for test vectors only */
  wrap (objectKey: Uint8Array, seal: Uint8Array, nonce: Uint8Array = randomBytes(NONCE_BYTES)): Uint8Array {
    return sealSmall(nodeCipher, this.#key, nonce, objectKey, aadOf(seal))
  }

  /** @throws RelayError RELAY_VAULT_KEY_WRONG for another key's, RELAY_VAULT_DAMAGED */
  unwrap (wrapped: Uint8Array, seal: Uint8Array, fingerprint: string): Uint8Array {
    if (fingerprint !== this.fingerprint) {
      throw new RelayError(
        'RELAY_VAULT_KEY_WRONG',
        `the object was stored with the key ${fingerprint}; the one here is ${this.fingerprint}`
      )
    }
    const key = openSmall(nodeCipher, this.#key, wrapped, aadOf(seal))
    if (key?.length !== KEY_BYTES) {
      throw new RelayError('RELAY_VAULT_DAMAGED', 'the wrapped key of the object is damaged')
    }
    return key
  }

  /** A seed for what is derived from the key, 32 bytes. */
  derive (purpose: string): Buffer {
    return createHash('sha256')
      .update(ascii(`RVKD${purpose}`))
      .update(this.#key)
      .digest()
  }

  /** The key itself, for its file and the recovery text. */
  bytes (): Uint8Array {
    return this.#key
  }
}

const aadOf = (seal: Uint8Array): Buffer => Buffer.concat([ascii('RVK1'), seal])

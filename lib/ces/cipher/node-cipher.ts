import { createCipheriv, createDecipheriv } from 'node:crypto'
import { TAG_BYTES, type Cipher } from './cipher.ts'
import { hchacha20 } from './hchacha20.ts'

const NAME = 'chacha20-poly1305'
const OPTIONS = { authTagLength: TAG_BYTES } as const

/** OpenSSL's ChaCha20-Poly1305 under a key and a nonce that HChaCha20 makes of the long nonce. */
export const nodeCipher: Cipher = {
  seal (key, nonce, plain, aad) {
    const cipher = createCipheriv(NAME, ...shortened(key, nonce), OPTIONS)
    cipher.setAAD(aad, { plaintextLength: plain.length })
    const ciphertext = cipher.update(plain)
    cipher.final()
    return { ciphertext, tag: cipher.getAuthTag() }
  },

  open (key, nonce, ciphertext, tag, aad) {
    const decipher = createDecipheriv(NAME, ...shortened(key, nonce), OPTIONS)
    const length = ciphertext.reduce((sum, piece) => sum + piece.length, 0)
    decipher.setAAD(aad, { plaintextLength: length })
    decipher.setAuthTag(tag)
    const plain = new Uint8Array(length)
    let at = 0
    for (const piece of ciphertext) {
      plain.set(decipher.update(piece), at)
      at += piece.length
    }
    try {
      decipher.final()
    } catch {
      return undefined // the tag is wrong: nothing else is thrown here
    }
    return plain
  }
}

const shortened = (key: Uint8Array, nonce: Uint8Array): [Uint8Array, Uint8Array] => {
  const short = new Uint8Array(12)
  short.set(nonce.subarray(16), 4)
  return [hchacha20(key, nonce.subarray(0, 16)), short]
}

import { xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { concat, TAG_BYTES, type Cipher } from './cipher.ts'

/** Where there is no OpenSSL. Needs the package `@noble/ciphers`. */
export const browserCipher: Cipher = {
  seal (key, nonce, plain, aad) {
    const sealed = xchacha20poly1305(key, nonce, aad).encrypt(plain)
    return {
      ciphertext: sealed.subarray(0, plain.length),
      tag: sealed.subarray(plain.length, plain.length + TAG_BYTES)
    }
  },

  open (key, nonce, ciphertext, tag, aad) {
    try {
      return xchacha20poly1305(key, nonce, aad).decrypt(concat([...ciphertext, tag]))
    } catch {
      return undefined // the tag is wrong: lengths are checked before
    }
  }
}

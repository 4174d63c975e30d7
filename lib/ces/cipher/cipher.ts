export const KEY_BYTES = 32
export const NONCE_BYTES = 24
export const TAG_BYTES = 16

/** XChaCha20-Poly1305: draft-irtf-cfrg-xchacha-03. Key 32 bytes, nonce 24, tag 16. */
export interface Cipher {
  /** The ciphertext, as long as the plaintext, and its tag. */
  seal: (
    key: Uint8Array,
    nonce: Uint8Array,
    plain: Uint8Array,
    aad: Uint8Array
  ) => { ciphertext: Uint8Array; tag: Uint8Array }
  /** @param ciphertext in pieces. @returns undefined when key, nonce, tag or AAD are others than it was sealed with */
  open: (
    key: Uint8Array,
    nonce: Uint8Array,
    ciphertext: Uint8Array[],
    tag: Uint8Array,
    aad: Uint8Array
  ) => Uint8Array | undefined
}

/** Something small as one: nonce || ciphertext || tag. */
export function sealSmall (
  cipher: Cipher,
  key: Uint8Array,
  nonce: Uint8Array,
  plain: Uint8Array,
  aad: Uint8Array
): Uint8Array {
  const { ciphertext, tag } = cipher.seal(key, nonce, plain, aad)
  return concat([nonce, ciphertext, tag])
}

/** What `sealSmall` gave. @returns undefined when it does not open */
export function openSmall (
  cipher: Cipher,
  key: Uint8Array,
  sealed: Uint8Array,
  aad: Uint8Array
): Uint8Array | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined
  const tag = sealed.length - TAG_BYTES
  return cipher.open(
    key,
    sealed.subarray(0, NONCE_BYTES),
    [sealed.subarray(NONCE_BYTES, tag)],
    sealed.subarray(tag),
    aad
  )
}

/** Pieces as one. */
export function concat (pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0))
  let at = 0
  for (const piece of pieces) {
    whole.set(piece, at)
    at += piece.length
  }
  return whole
}

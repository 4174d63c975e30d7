/** "expand 32-byte k" */
const CONSTANTS = [0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]

/**
 * HChaCha20: the key (32 bytes) for what is left of a long nonce (its first 16 bytes).
 * draft-irtf-cfrg-xchacha-03, section 2.2.
 */
export function hchacha20 (key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const state = new Uint32Array(16)
  state.set(CONSTANTS)
  for (let word = 0; word < 8; word++) state[4 + word] = read(key, word)
  for (let word = 0; word < 4; word++) state[12 + word] = read(nonce, word)
  for (let round = 0; round < 10; round++) {
    for (let column = 0; column < 4; column++) quarter(state, column, 4 + column, 8 + column, 12 + column)
    for (let diagonal = 0; diagonal < 4; diagonal++) {
      quarter(state, diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    }
  }
  const subkey = new DataView(new ArrayBuffer(32))
  for (let word = 0; word < 4; word++) {
    subkey.setUint32(4 * word, state[word]!, true)
    subkey.setUint32(16 + 4 * word, state[12 + word]!, true)
  }
  return new Uint8Array(subkey.buffer)
}

const read = (bytes: Uint8Array, word: number): number =>
  bytes[4 * word]! | bytes[4 * word + 1]! << 8 | bytes[4 * word + 2]! << 16 | bytes[4 * word + 3]! << 24

function quarter (state: Uint32Array, a: number, b: number, c: number, d: number): void {
  state[a]! += state[b]!
  state[d] = rotate(state[d]! ^ state[a]!, 16)
  state[c]! += state[d]!
  state[b] = rotate(state[b]! ^ state[c]!, 12)
  state[a]! += state[b]!
  state[d] = rotate(state[d]! ^ state[a]!, 8)
  state[c]! += state[d]!
  state[b] = rotate(state[b]! ^ state[c]!, 7)
}

const rotate = (word: number, bits: number): number => word << bits | word >>> 32 - bits

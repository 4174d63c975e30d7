import type { Cipher } from './cipher/cipher.ts'
import type { Compressions } from './codec/codec.ts'
import type { Kernel } from './coding/kernel.ts'

/** What compressing, encrypting and sharding need of where they run. */
export interface Platform {
  readonly cipher: Cipher
  readonly compressions: Compressions
  readonly kernel: Kernel
  readonly sha256: (bytes: Uint8Array) => Uint8Array | Promise<Uint8Array>
  readonly equal: (a: Uint8Array, b: Uint8Array) => boolean
  readonly random: (bytes: number) => Uint8Array
}

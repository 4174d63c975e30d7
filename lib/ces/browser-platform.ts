import { browserCipher } from './cipher/browser-cipher.ts'
import { browserCompressions } from './codec/browser-compressions.ts'
import { chooseKernel } from './coding/choose-kernel.ts'
import type { Platform } from './platform.ts'

/** Needs a secure context: `crypto.subtle` is nowhere else. */
export async function browserPlatform (): Promise<Platform> {
  return {
    cipher: browserCipher,
    compressions: await browserCompressions(),
    kernel: chooseKernel(),
    sha256: async bytes => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)),
    equal: (a, b) => a.length === b.length && a.every((byte, at) => byte === b[at]),
    random: bytes => crypto.getRandomValues(new Uint8Array(bytes))
  }
}

import { createHash, randomBytes } from 'node:crypto'
import { nodeCipher } from './cipher/node-cipher.ts'
import { nodeCompressions } from './codec/node-compressions.ts'
import { chooseKernel } from './coding/choose-kernel.ts'
import type { Platform } from './platform.ts'

export async function nodePlatform (): Promise<Platform> {
  return {
    cipher: nodeCipher,
    compressions: await nodeCompressions(),
    kernel: chooseKernel(),
    sha256: bytes => createHash('sha256').update(bytes).digest(),
    equal: (a, b) => Buffer.compare(a, b) === 0,
    random: randomBytes
  }
}

import type { Platform } from '../../../lib/ces/platform.ts'

/** A small frame that becomes this many zeros. */
export async function zstdBomb ({ compressions }: Platform, length: number): Promise<Uint8Array> {
  return await compressions.zstd!.compress(new Uint8Array(length))
}

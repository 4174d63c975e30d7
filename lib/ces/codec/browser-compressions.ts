import { concat } from '../cipher/cipher.ts'
import type { Compressions } from './codec.ts'
import { checkZstdFrame } from './zstd-frame.ts'

const LEVEL = 3

/** zstd by the package `@cloudpss/zstd`, whose WASM runs in browsers, if it is installed; deflate by the browser. */
export async function browserCompressions (): Promise<Compressions> {
  // not installed, or the page forbids WebAssembly: deflate then
  const zstd = await import('@cloudpss/zstd').catch(() => undefined)
  return {
    ...(zstd === undefined
      ? {}
      : {
          zstd: {
            compress: plain => zstd.compress(plain, LEVEL),
            decompress: (frame, length) => {
              checkZstdFrame(frame, length)
              return zstd.decompress(frame)
            }
          }
        }),
    deflate: {
      compress: async plain => await through(plain, new CompressionStream('deflate-raw'), Infinity),
      decompress: async (compressed, length) =>
        await through(compressed, new DecompressionStream('deflate-raw'), length)
    }
  }
}

/** @throws Error for more than `most` bytes, TypeError for what is not deflated */
async function through (
  bytes: Uint8Array,
  stream: CompressionStream | DecompressionStream,
  most: number
): Promise<Uint8Array> {
  const reader = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream().pipeThrough(stream).getReader()
  const pieces: Uint8Array[] = []
  let length = 0
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    const piece = next.value as Uint8Array
    pieces.push(piece)
    length += piece.length
    if (length > most) {
      await reader.cancel()
      throw new Error(`more than ${most} bytes`)
    }
  }
  return concat(pieces)
}

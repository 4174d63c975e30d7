import zlib from 'node:zlib'
import { codeOf } from '../../errors.ts'
import { concat } from '../cipher/cipher.ts'
import type { Compressions } from './codec.ts'
import { checkZstdFrame } from './zstd-frame.ts'

type Zstd = NonNullable<Compressions['zstd']>
type ZstdPackage = typeof import('@cloudpss/zstd')

const LEVEL = 3 // the knee: 6 takes twice as long for a tenth less
const COMPRESSION_LEVEL = 100 // ZSTD_c_compressionLevel

/** In Node from 22.15 on. */
interface ZlibWithZstd {
  zstdCompressSync?: (
    plain: Uint8Array,
    options: { params: Record<number, number>; pledgedSrcSize: number }
  ) => Uint8Array
  zstdDecompressSync?: (frame: Uint8Array, options: { maxOutputLength: number }) => Uint8Array
}

/** zstd of Node or, where it has none, of the package `@cloudpss/zstd` if that is installed; deflate always. */
export async function nodeCompressions (): Promise<Compressions> {
  const own = builtIn()
  const installed = await zstdPackage()
  const zstd = own ?? (installed && packaged(installed))
  const unsizedZstd = installed?.TYPE === 'napi' ? unsized(installed) : builtInUnsized()
  return {
    ...(zstd === undefined ? {} : { zstd }),
    ...(unsizedZstd === undefined ? {} : { unsizedZstd }),
    deflate: {
      compress: plain => zlib.deflateRawSync(plain),
      decompress: (compressed, length) => zlib.inflateRawSync(compressed, { maxOutputLength: Math.max(length, 1) })
    }
  }
}

function builtIn (): Zstd | undefined {
  const { zstdCompressSync, zstdDecompressSync } = zlib as ZlibWithZstd
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined) return undefined
  return {
    compress: plain =>
      zstdCompressSync(plain, { params: { [COMPRESSION_LEVEL]: LEVEL }, pledgedSrcSize: plain.length }),
    decompress: (frame, length) => {
      checkZstdFrame(frame, length)
      return zstdDecompressSync(frame, { maxOutputLength: Math.max(length, 1) })
    }
  }
}

function builtInUnsized (): Compressions['unsizedZstd'] {
  const { zstdDecompressSync } = zlib as ZlibWithZstd
  return zstdDecompressSync === undefined
    ? undefined
    : (frame, most) => zstdDecompressSync(frame, { maxOutputLength: Math.max(most, 1) })
}

/** zstd by the package. */
export const packaged = (zstd: ZstdPackage): Zstd => ({
  compress: plain => zstd.compress(plain, LEVEL),
  decompress: (frame, length) => {
    checkZstdFrame(frame, length) // the package itself would make 1 GiB of what claims to be that
    return zstd.decompress(frame)
  }
})

const unsized =
  (zstd: ZstdPackage): Compressions['unsizedZstd'] =>
    async (frame, most) => {
      const stream = new zstd.Decompressor()
      stream.end(frame)
      const pieces: Uint8Array[] = []
      let length = 0
      for await (const piece of stream as AsyncIterable<Uint8Array>) {
        pieces.push(piece)
        length += piece.length
        if (length > most) throw new Error(`a zstd frame of more than ${most} bytes`)
      }
      return concat(pieces)
    }

/** @returns undefined when the package is not installed */
export async function zstdPackage (): Promise<ZstdPackage | undefined> {
  try {
    return await import('@cloudpss/zstd')
  } catch (error) {
    if (codeOf(error) === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  }
}

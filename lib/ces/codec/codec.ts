import { RelayError } from '../../errors.ts'

/** How a segment is compressed; the numbers are those of the format. */
export const CODECS = { raw: 0, zstd: 1, deflate: 2 } as const
export type Codec = (typeof CODECS)[keyof typeof CODECS]

type MaybePromise<T> = T | Promise<T>

/** One way to compress. */
export interface Compression {
  compress: (plain: Uint8Array) => MaybePromise<Uint8Array>
  /** @returns `length` bytes. @throws Error when there are more, or what was given is no such stream */
  decompress: (compressed: Uint8Array, length: number) => MaybePromise<Uint8Array>
}

/** Those that this machine has. What it lacks it neither writes nor reads. */
export interface Compressions {
  zstd?: Compression
  deflate?: Compression
  /** A zstd frame that does not tell its size, as others write them. @throws Error for more than `most` bytes */
  unsizedZstd?: (frame: Uint8Array, most: number) => MaybePromise<Uint8Array>
}

/** What to do where there is no zstd. */
export const INSTALL_ZSTD = 'zstd: npm install @cloudpss/zstd@0.2.16, or use Node 22.15 or newer'

const WORTH = 0.97 // what does not shrink by 3 % is stored as it is
const PROBE = 128 * 1024 // shorter ones are compressed to see
const SAMPLE_BYTES = 16 * 1024

/**
 * Compresses if that is worth it. Long input is tried with three samples first: what is compressed already (ZIPs,
 * Automerge's snapshots) costs next to nothing.
 */
export async function compress (
  plain: Uint8Array,
  { zstd, deflate }: Compressions
): Promise<{ codec: Codec; bytes: Uint8Array }> {
  const raw = { codec: CODECS.raw, bytes: plain }
  const compression = zstd ?? deflate
  if (compression === undefined || plain.length === 0) return raw
  if (plain.length > PROBE) {
    const samples = [0, (plain.length - SAMPLE_BYTES) >>> 1, plain.length - SAMPLE_BYTES].map(at =>
      plain.subarray(at, at + SAMPLE_BYTES)
    )
    const sizes = await Promise.all(samples.map(async sample => (await compression.compress(sample)).length))
    if (sizes.reduce((sum, size) => sum + size) > WORTH * SAMPLE_BYTES * samples.length) return raw
  }
  const bytes = await compression.compress(plain)
  return bytes.length > WORTH * plain.length
    ? raw
    : { codec: zstd === undefined ? CODECS.deflate : CODECS.zstd, bytes }
}

/** @throws RelayError RELAY_VAULT_DAMAGED for what is not exactly `length` bytes compressed in this way */
export async function decompress (
  bytes: Uint8Array,
  codec: Codec,
  length: number,
  { zstd, deflate }: Compressions
): Promise<Uint8Array> {
  if (codec === CODECS.raw) return whole(bytes, length)
  const compression = codec === CODECS.zstd ? zstd : deflate
  if (compression === undefined) {
    throw new RelayError(
      'RELAY_BAD_OPTION',
      `a segment is compressed with ${codec === CODECS.zstd ? INSTALL_ZSTD : 'deflate, which is missing here'}`
    )
  }
  let plain: Uint8Array
  try {
    plain = await compression.decompress(bytes, length)
  } catch (cause) {
    throw new RelayError(
      'RELAY_VAULT_DAMAGED',
      `a segment cannot be decompressed to the ${length} bytes it is said to have`,
      { cause }
    )
  }
  return whole(plain, length)
}

function whole (bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) {
    throw new RelayError('RELAY_VAULT_DAMAGED', `a segment has ${bytes.length} bytes where it should have ${length}`)
  }
  return bytes
}

import { RelayError } from '../errors.ts'
import { NONCE_BYTES } from './cipher/cipher.ts'
import { INSTALL_ZSTD } from './codec/codec.ts'
import { ReedSolomon } from './coding/reed-solomon.ts'
import { readFrame, shardLength, writeFrame } from './format/frame.ts'
import type { Platform } from './platform.ts'

export interface CompatOptions {
  /** Data and parity shards: 8 and 4. */
  k?: number
  m?: number
}

/**
 * The compatibility layout: one zstd frame, sealed without AAD, laid over shards that say nothing of themselves. It can
 * be held against other implementations. Whoever stores data wants segments, which notice damage and disorder.
 * @param nonce for test vectors only
 * @throws RelayError RELAY_BAD_OPTION without zstd
 */
export async function encodeCompat (
  platform: Platform,
  plain: Uint8Array,
  key: Uint8Array,
  options: CompatOptions = {},
  nonce = platform.random(NONCE_BYTES)
): Promise<Uint8Array[]> {
  if (platform.compressions.zstd === undefined) throw noZstd()
  return sealCompat(platform, await platform.compressions.zstd.compress(plain), key, options, nonce)
}

/** The layout of what is compressed already. */
export function sealCompat (
  platform: Platform,
  compressed: Uint8Array,
  key: Uint8Array,
  { k = 8, m = 4 }: CompatOptions,
  nonce: Uint8Array
): Uint8Array[] {
  const { ciphertext, tag } = platform.cipher.seal(key, nonce, compressed, new Uint8Array(0))
  const length = shardLength(ciphertext.length, k)
  const shards = Array.from({ length: k + m }, () => new Uint8Array(length))
  writeFrame({ nonce, ciphertext: [ciphertext], tag }, shards.slice(0, k))
  new ReedSolomon(k, m, platform.kernel).encode(shards.slice(0, k), shards.slice(k))
  return shards
}

/**
 * @param shards by index: any k, all sound, since nothing tells which is not
 * @param most bytes of plaintext that are taken
 * @throws RelayError RELAY_VAULT_DAMAGED
 */
export async function decodeCompat (
  platform: Platform,
  shards: ReadonlyMap<number, Uint8Array>,
  key: Uint8Array,
  most: number,
  { k = 8, m = 4 }: CompatOptions = {}
): Promise<Uint8Array> {
  const { unsizedZstd } = platform.compressions
  if (unsizedZstd === undefined) throw noZstd()
  const present = [...shards.keys()].sort((a, b) => a - b).slice(0, k)
  const given = present.map(index => shards.get(index)!)
  if (present.length < k) {
    throw new RelayError('RELAY_VAULT_DAMAGED', `${present.length} shards of the ${k} that are needed`)
  }
  if (given.some(({ length }) => length !== given[0]!.length)) {
    throw new RelayError('RELAY_VAULT_DAMAGED', 'the shards are of different lengths')
  }
  const all = Array.from({ length: k }, (_, index) => index)
  const lost = all.filter(index => !present.includes(index))
  const made = lost.map(() => new Uint8Array(given[0]!.length))
  new ReedSolomon(k, m, platform.kernel).rebuild(present, given, lost, made)
  const { nonce, ciphertext, tag } = readFrame(all.map(index => shards.get(index) ?? made[lost.indexOf(index)]!))
  const compressed = platform.cipher.open(key, nonce, ciphertext, tag, new Uint8Array(0))
  if (compressed === undefined) {
    throw new RelayError('RELAY_VAULT_DAMAGED', 'the shards do not open: another key, or damage')
  }
  try {
    return await unsizedZstd(compressed, most)
  } catch (cause) {
    throw new RelayError('RELAY_VAULT_DAMAGED', `what the shards hold is no zstd frame of at most ${most} bytes`, {
      cause
    })
  }
}

const noZstd = (): RelayError =>
  new RelayError(
    'RELAY_BAD_OPTION',
    `this needs ${INSTALL_ZSTD}`
  )

import { RelayError } from '../errors.ts'
import { NONCE_BYTES } from './cipher/cipher.ts'
import { compress, decompress, type Codec } from './codec/codec.ts'
import { ReedSolomon } from './coding/reed-solomon.ts'
import { readFrame, shardLength, writeFrame } from './format/frame.ts'
import { segmentAad, type SegmentHeader, type SegmentId } from './format/segment-header.ts'
import { mismatchOf, SHARD_HEADER_BYTES, writeShardHeader } from './format/shard-file.ts'
import type { Platform } from './platform.ts'

/** A segment as a manifest tells of it. `length`: bytes of a shard's body; `names`: the SHA-256 of each shard file. */
export interface Segment extends SegmentHeader {
  readonly length: number
  readonly names: readonly Uint8Array[]
}

/** A segment that can be stored: `files` are its k + m shard files, in one buffer. */
export interface EncodedSegment {
  readonly codec: Codec
  readonly plain: number
  readonly length: number
  readonly files: Uint8Array[]
  readonly names: Uint8Array[]
}

/** A shard that is not what it should be, and why. */
export interface WrongShard {
  readonly index: number
  readonly why: string
}

/** Compresses, encrypts and shards segments, and back. What has been made is opened again before it is given out. */
export class SegmentCoder {
  readonly #platform: Platform
  readonly #coders = new Map<string, ReedSolomon>()

  constructor (platform: Platform) {
    this.#platform = platform
  }

  /**
   * @param key 32 bytes, of this object only
   * @param nonce for test vectors only: random otherwise, since a segment that is made again may have other contents
   * @throws RelayError RELAY_INTERNAL when what was made does not open again: memory or a library is broken
   */
  async encode (
    plain: Uint8Array,
    key: Uint8Array,
    id: SegmentId,
    nonce = this.#platform.random(NONCE_BYTES)
  ): Promise<EncodedSegment> {
    const { k, m } = id
    const coder = this.#coder(k, m)
    const { codec, bytes } = await compress(plain, this.#platform.compressions)
    const header = { ...id, codec, plain: plain.length }
    const { ciphertext, tag } = this.#platform.cipher.seal(key, nonce, bytes, segmentAad(header))
    const length = shardLength(ciphertext.length, k)
    const files = shardFiles(k + m, length)
    const bodies = files.map(bodyOf)
    writeFrame({ nonce, ciphertext: [ciphertext], tag }, bodies.slice(0, k))
    coder.encode(bodies.slice(0, k), bodies.slice(k))
    files.forEach((file, index) => {
      writeShardHeader(file, id, index)
    })
    const names = await Promise.all(files.map(file => this.#platform.sha256(file)))
    await this.#openAgain(plain, key, header, bodies)
    return { codec, plain: plain.length, length, files, names }
  }

  /**
   * The plaintext, from any k good shards.
   * @param files by index, those at hand
   * @returns `wrong`: those that were not used since they are not what they should be
   * @throws RelayError RELAY_VAULT_DAMAGED when fewer than k are good or what they hold does not open
   */
  async decode (
    files: ReadonlyMap<number, Uint8Array>,
    key: Uint8Array,
    segment: Segment
  ): Promise<{ plain: Uint8Array; wrong: WrongShard[] }> {
    const { good, wrong } = await this.#good(files, segment)
    const bodies = this.#rebuild(
      good,
      segment,
      Array.from({ length: segment.k }, (_, index) => index)
    )
    return { plain: await this.#open(bodies, key, segment), wrong }
  }

  /**
   * The files of lost shards, from any k good ones and without a key.
   * @throws RelayError RELAY_VAULT_DAMAGED when fewer than k are good or another file than the lost one would come out
   */
  async rebuild (
    files: ReadonlyMap<number, Uint8Array>,
    segment: Segment,
    lost: readonly number[]
  ): Promise<{ files: Uint8Array[]; wrong: WrongShard[] }> {
    const { good, wrong } = await this.#good(files, segment)
    const bodies = this.#rebuild(good, segment, lost)
    const made = shardFiles(lost.length, segment.length)
    for (const [at, index] of lost.entries()) {
      bodyOf(made[at]!).set(bodies[at]!)
      writeShardHeader(made[at]!, segment, index)
      if (!this.#platform.equal(await this.#platform.sha256(made[at]!), segment.names[index]!)) {
        throw new RelayError(
          'RELAY_VAULT_DAMAGED',
          `shard ${index} of segment ${segment.number} comes out as another file than its manifest names`
        )
      }
    }
    return { files: made, wrong }
  }

  async #good (
    files: ReadonlyMap<number, Uint8Array>,
    segment: Segment
  ): Promise<{ good: Map<number, Uint8Array>; wrong: WrongShard[] }> {
    const good = new Map<number, Uint8Array>()
    const wrong: WrongShard[] = []
    for (const [index, file] of files) {
      const name = segment.names[index]
      if (name === undefined) {
        throw new RelayError('RELAY_BAD_REQUEST', `there is no shard ${index} of ${segment.k}+${segment.m}`)
      }
      const why = this.#platform.equal(await this.#platform.sha256(file), name)
        ? mismatchOf(file, segment, index, segment.length) // as its name, a manifest may be wrong
        : (mismatchOf(file, segment, index, segment.length) ?? 'its bytes are not those that were stored')
      if (why === undefined) good.set(index, bodyOf(file))
      else wrong.push({ index, why })
    }
    if (good.size < segment.k) {
      const details = wrong.map(({ index, why }) => `, ${index}: ${why}`).join('')
      throw new RelayError(
        'RELAY_VAULT_DAMAGED',
        `segment ${segment.number} has ${good.size} good shards of the ${segment.k} it needs${details}`
      )
    }
    return { good, wrong }
  }

  /** Bodies by index: those at hand as they are, the others made. */
  #rebuild (
    good: ReadonlyMap<number, Uint8Array>,
    { k, m, length }: Segment,
    wanted: readonly number[]
  ): Uint8Array[] {
    const present = [...good.keys()].sort((a, b) => a - b).slice(0, k)
    const lost = wanted.filter(index => !good.has(index))
    const made = lost.map(() => new Uint8Array(length))
    this.#coder(k, m).rebuild(
      present,
      present.map(index => good.get(index)!),
      lost,
      made
    )
    return wanted.map(index => good.get(index) ?? made[lost.indexOf(index)]!)
  }

  async #open (bodies: readonly Uint8Array[], key: Uint8Array, header: SegmentHeader): Promise<Uint8Array> {
    const { nonce, ciphertext, tag } = readFrame(bodies)
    const bytes = this.#platform.cipher.open(key, nonce, ciphertext, tag, segmentAad(header))
    if (bytes === undefined) {
      throw new RelayError(
        'RELAY_VAULT_DAMAGED',
        `segment ${header.number} does not open: it was sealed with another key, for another place, or is damaged`
      )
    }
    return await decompress(bytes, header.codec, header.plain, this.#platform.compressions)
  }

  /** Memory that flips bits and compressors with faults otherwise make backups that look sound for years. */
  async #openAgain (
    plain: Uint8Array,
    key: Uint8Array,
    header: SegmentHeader,
    bodies: readonly Uint8Array[]
  ): Promise<void> {
    const broken = (cause?: unknown): RelayError =>
      new RelayError(
        'RELAY_INTERNAL',
        'a segment that was just made does not open again: the memory of this machine, or a library, is broken',
        { cause }
      )
    const opened = await this.#open(bodies.slice(0, header.k), key, header).catch(cause => {
      throw broken(cause)
    })
    if (!this.#platform.equal(opened, plain) || !this.#coder(header.k, header.m).agree(bodies)) throw broken()
  }

  #coder (k: number, m: number): ReedSolomon {
    const known = this.#coders.get(`${k}+${m}`)
    if (known !== undefined) return known
    const made = new ReedSolomon(k, m, this.#platform.kernel)
    this.#coders.set(`${k}+${m}`, made)
    return made
  }
}

/** Files of zeros one after the other in one buffer, which goes from thread to thread as one. */
function shardFiles (count: number, length: number): Uint8Array[] {
  const size = SHARD_HEADER_BYTES + length
  const buffer = new ArrayBuffer(count * size)
  return Array.from({ length: count }, (_, at) => new Uint8Array(buffer, at * size, size))
}

const bodyOf = (file: Uint8Array): Uint8Array => file.subarray(SHARD_HEADER_BYTES)

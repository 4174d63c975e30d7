import { Readable } from 'node:stream'
import { RandomAccessReader } from 'yauzl'
import { RelayError } from '../../errors.ts'
import type { ByteRange, StoredObject } from '../../objects/object-store.ts'

/** What can be read at any place: a stored bundle, a local file. */
export type ByteSource = Pick<StoredObject, 'size' | 'stream'>

const BLOCK_BYTES = 256 * 1024

/**
 * Serves yauzl's small reads out of one block of memory: in a bucket each read of the source is a request. yauzl reads
 * the end of the file first, then the directory from its beginning to its end.
 */
export class BlockReader extends RandomAccessReader {
  /** What the source failed with, to tell it from what yauzl finds wrong. */
  failure: unknown
  readonly #source: ByteSource
  #block = { start: 0, bytes: Buffer.alloc(0) }

  constructor (source: ByteSource) {
    super()
    this.#source = source
  }

  /** A range of the source: out of the block when it is in there. */
  stream (range: ByteRange): Readable {
    const held = this.#held(range)
    return held === undefined ? this.#source.stream(range) : Readable.from([held], { objectMode: false })
  }

  override read (
    buffer: Buffer, offset: number, length: number, position: number, callback: (error: Error | null) => void
  ): void {
    if (position < 0 || position + length > this.#source.size) {
      return callback(new Error('its directory points past its end'))
    }
    const range = { start: position, end: position + length }
    this.#load(range).then(bytes => { bytes.copy(buffer, offset) }).then(() => callback(null), error => {
      this.failure = error
      callback(error)
    })
  }

  async #load (range: ByteRange): Promise<Buffer> {
    const held = this.#held(range)
    if (held !== undefined) return held
    const end = Math.min(this.#source.size, Math.max(range.end, range.start + BLOCK_BYTES))
    const chunks = await this.#source.stream({ start: range.start, end }).toArray()
    this.#block = { start: range.start, bytes: Buffer.concat(chunks) }
    const loaded = this.#held(range)
    if (loaded === undefined) {
      throw new RelayError('RELAY_BUNDLE_CHANGED', 'the bundle became shorter while it was read')
    }
    return loaded
  }

  #held ({ start, end }: ByteRange): Buffer | undefined {
    const { start: at, bytes } = this.#block
    return start >= at && end <= at + bytes.length ? bytes.subarray(start - at, end - at) : undefined
  }
}

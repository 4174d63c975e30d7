import { Readable } from 'node:stream'
import { RelayError } from '../errors.ts'
import type { ByteRange, ObjectFacts, StoredObject } from './object-store.ts'

/** What a store knows of an object and how it reads it. */
export interface ObjectSource extends ObjectFacts {
  /** Reads a range that lies within the object; started with the first read, to be given up when the signal aborts. */
  read (range: ByteRange, signal: AbortSignal): AsyncGenerator<Uint8Array>
  /** Called once, when the object is closed and its last stream is done. Never rejects. */
  release (): Promise<void>
}

/** The part of a stored object that is the same in every store: lazy streams, and what closing means to them. */
export class OpenedObject implements StoredObject {
  readonly size: number
  readonly etag: string
  readonly modified: Date
  readonly owner: string | undefined
  readonly #source: ObjectSource
  #streams = 0
  #closed = false

  constructor (source: ObjectSource) {
    this.size = source.size
    this.etag = source.etag
    this.modified = source.modified
    this.owner = source.owner
    this.#source = source
  }

  stream (range: ByteRange = { start: 0, end: this.size }): Readable {
    const refusal = this.#refusal(range)
    if (refusal !== undefined) return new Readable({ read () { this.destroy(refusal) } })
    const stream = lazyStream(signal => this.#source.read(range, signal))
    this.#streams++
    stream.once('close', () => {
      this.#streams--
      this.#releaseIfDone()
    })
    return stream
  }

  async close (): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#releaseIfDone()
  }

  #refusal ({ start, end }: ByteRange): RelayError | undefined {
    if (this.#closed) return new RelayError('RELAY_INTERNAL', 'the object is closed')
    if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= this.size) {
      return
    }
    return new RelayError('RELAY_RANGE_NOT_SATISFIABLE', `bytes ${start} to ${end} of ${this.size}`)
  }

  async #releaseIfDone (): Promise<void> {
    if (this.#closed && this.#streams === 0) await this.#source.release()
  }
}

/**
 * A stream of a generator's chunks, one asked for at a time. `Readable.from` would wait for the chunk under way before
 * it lets itself be destroyed; this one aborts it.
 */
function lazyStream (start: (signal: AbortSignal) => AsyncGenerator<Uint8Array>): Readable {
  const aborter = new AbortController()
  const chunks = start(aborter.signal)
  return new Readable({
    read () {
      chunks.next().then(({ done, value }) => this.push(done === true ? null : value), error => this.destroy(error))
    },
    destroy (error, done) {
      aborter.abort()
      chunks.return(undefined).then(() => done(error), failure => done(error ?? failure))
    }
  })
}

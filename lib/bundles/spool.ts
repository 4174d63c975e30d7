import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { RelayError, messageOf } from '../errors.ts'
import { clearScratch } from '../objects/atomic-file.ts'
import { openLocalFile } from '../objects/local-file.ts'
import { bundleTooLarge } from './file/refusal.ts'
import type { BundleFile, StoredBundle } from './stores/store.ts'

/** What is known of a stream that comes in, in bytes. */
export interface Upload { stream: Readable, limit: number, length?: number | undefined }

/** Files of bundles on their way in: a stream cannot be read at any place, a file can. */
export class Spool {
  readonly #folder: string

  constructor (folder: string) {
    this.#folder = folder
  }

  /** Makes the folder and deletes what a killed process left there. @throws RelayError RELAY_STORAGE_FAILED */
  async open (): Promise<void> {
    await this.#disk(async () => {
      await mkdir(this.#folder, { recursive: true })
      await clearScratch(this.#folder)
    })
  }

  /**
   * Writes a stream to a file, no faster than the disk takes it, and has the file used: opened, and by its path, from
   * which it may be moved away. The file is gone afterwards. A stream that is refused is not destroyed, so that whoever
   * sends it can still be answered.
   * @throws RelayError RELAY_BUNDLE_TOO_LARGE as soon as the limit is passed, RELAY_BUNDLE_INVALID when there is
   *   nothing, RELAY_BAD_REQUEST when the stream breaks off, RELAY_STORAGE_FAILED, or what the user of the file throws
   */
  async hold<T> (
    { stream, limit, length = 0 }: Upload, use: (opened: StoredBundle, file: BundleFile) => Promise<T>
  ): Promise<T> {
    if (length > limit) throw tooLarge(limit)
    const file = path.join(this.#folder, `${randomUUID()}.tonk`)
    try {
      await this.#disk(() => writeFile(file, chunksOf(stream, limit), { flag: 'wx' }))
      const opened = await openLocalFile(file)
      try {
        if (opened.size === 0) throw new RelayError('RELAY_BUNDLE_INVALID', 'Invalid bundle data')
        return await use(opened, { path: file, size: opened.size })
      } finally {
        await opened.close()
      }
    } finally {
      await this.#disk(() => rm(file, { force: true }))
    }
  }

  async #disk<T> (run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (error instanceof RelayError) throw error
      throw new RelayError('RELAY_STORAGE_FAILED', `folder ${this.#folder}: ${messageOf(error)}`, { cause: error })
    }
  }
}

/** A stream's chunks up to a limit. An error of its own is the sender's doing, unless the stream knows better. */
async function * chunksOf (stream: Readable, limit: number): AsyncGenerator<Uint8Array> {
  const chunks = stream.iterator({ destroyOnReturn: false })
  let size = 0
  try {
    for (;;) {
      const { done, value } = await chunks.next().catch(error => { throw brokenOff(error) })
      if (done === true) return
      size += value.length
      if (size > limit) throw tooLarge(limit)
      yield value
    }
  } finally {
    await chunks.return?.() // lets go of the stream
  }
}

const tooLarge = (limit: number): RelayError => bundleTooLarge(`at most ${limit} bytes are taken`)

const brokenOff = (error: unknown): RelayError => error instanceof RelayError
  ? error
  : new RelayError('RELAY_BAD_REQUEST', `the upload broke off: ${messageOf(error)}`, { cause: error })

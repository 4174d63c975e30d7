import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'

/** What its sender says of a file; nothing of it is checked. `size` in bytes, `lastModified` in ms since 1970. */
export interface FileMeta { name?: string, type?: string, size?: number, lastModified?: number, extra?: unknown }

/**
 * A file among a task's input. Its bytes can be read once, while they arrive; files arrive in the order they were sent.
 */
export class InputFile {
  name = 'upload'
  type: string | undefined
  size: number | undefined
  lastModified: number | undefined
  extra: unknown
  readonly #bytes: Readable
  #isTaken = false

  constructor (bytes: Readable) {
    this.#bytes = bytes
  }

  /** The bytes. @throws Error the second time */
  stream (): Readable {
    if (this.#isTaken) throw new Error(`the file ${this.name} has been read already`)
    this.#isTaken = true
    return this.#bytes
  }

  /** As `stream`, for handlers written for other kinds of files too. */
  async resolve (): Promise<{ stream: Readable }> {
    return { stream: this.stream() }
  }

  /**
   * Writes it to a new file that its owner alone can read, in the folder for temporary ones unless told; whoever calls
   * deletes it.
   */
  async toTempFile (folder = os.tmpdir()): Promise<{ path: string, bytesWritten: number }> {
    const stream = this.stream()
    await mkdir(folder, { recursive: true })
    const file = path.join(folder, `upload-${randomUUID()}`)
    const output = createWriteStream(file, { flags: 'wx', mode: 0o600 })
    try {
      await pipeline(stream, output)
    } catch (error) {
      await rm(file, { force: true })
      throw error
    }
    return { path: file, bytesWritten: output.bytesWritten }
  }

  /** Takes over what is known of it. */
  describe (meta: FileMeta): void {
    this.name = meta.name ?? this.name
    this.type = meta.type ?? this.type
    this.size = meta.size ?? this.size
    this.lastModified = meta.lastModified ?? this.lastModified
    this.extra = meta.extra ?? this.extra
  }

  /** Whether somebody reads it. */
  get isTaken (): boolean { return this.#isTaken }
}

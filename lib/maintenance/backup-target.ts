import type { Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { RelayError, codeOf } from '../errors.ts'
import { syncFolder } from '../objects/atomic-file.ts'

/** A file to be put into a backup. `size` in bytes. */
export interface BackupFile { path: string, size: number, body: Readable }

/** Where a backup goes. What is there under its name is whole: it is made beside, under `.partial`. */
export interface BackupTarget {
  add (file: BackupFile): Promise<void>
  /** Puts it on disk and gives it its name. */
  finish (): Promise<void>
  /** Deletes what there is of it. */
  abort (): Promise<void>
}

export const PARTIAL = '.partial'

/** The target that a name asks for: an archive when it ends in `.tar`, else a folder. @throws RelayError RELAY_BAD_OPTION when there is something already */
export async function openTarget (name: string): Promise<BackupTarget> {
  const place = path.resolve(name)
  if (await isThere(place)) throw new RelayError('RELAY_BAD_OPTION', `${name} is there already: a backup needs a name of its own`)
  await mkdir(path.dirname(place), { recursive: true })
  await rm(place + PARTIAL, { recursive: true, force: true }) // of a backup that was killed
  return place.endsWith('.tar') ? new TarTarget(place) : new FolderTarget(place)
}

async function isThere (place: string): Promise<boolean> {
  try {
    return !(await lstat(place)).isDirectory() || (await readdir(place)).length > 0
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw error
  }
}

class FolderTarget implements BackupTarget {
  readonly #place: string
  readonly #folders = new Set<string>()

  constructor (place: string) {
    this.#place = place
  }

  async add ({ path: name, body }: BackupFile): Promise<void> {
    const file = path.join(this.#place + PARTIAL, name)
    await this.#makeFolder(path.dirname(file))
    const handle = await open(file, 'wx')
    try {
      for await (const chunk of body) await handle.appendFile(chunk)
      await handle.datasync()
    } finally {
      await handle.close()
    }
  }

  async finish (): Promise<void> {
    for (const folder of this.#folders) await syncFolder(folder)
    await rename(this.#place + PARTIAL, this.#place)
    await syncFolder(path.dirname(this.#place))
  }

  async abort (): Promise<void> {
    await rm(this.#place + PARTIAL, { recursive: true, force: true })
  }

  async #makeFolder (folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true })
    for (let at = folder; at !== path.dirname(this.#place); at = path.dirname(at)) this.#folders.add(at)
  }
}

class TarTarget implements BackupTarget {
  readonly #place: string
  readonly #pack = tar.pack()
  readonly #written: Promise<void>

  constructor (place: string) {
    this.#place = place
    this.#written = pipeline(this.#pack, createWriteStream(place + PARTIAL, { flags: 'wx', flush: true }))
    this.#written.catch(() => {}) // told to who adds or finishes
  }

  async add ({ path: name, size, body }: BackupFile): Promise<void> {
    const entry = this.#pack.entry({ name, size, mode: 0o600 })
    await Promise.race([pipeline(body, entry), this.#written])
  }

  async finish (): Promise<void> {
    this.#pack.finalize()
    await this.#written
    await rename(this.#place + PARTIAL, this.#place)
    await syncFolder(path.dirname(this.#place))
  }

  async abort (): Promise<void> {
    this.#pack.destroy()
    await this.#written.catch(() => {}) // that it was broken off
    await rm(this.#place + PARTIAL, { force: true })
  }
}

/** Passes bytes on and has them summed. */
export async function * summed (body: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    hash.update(chunk)
    yield chunk
  }
}

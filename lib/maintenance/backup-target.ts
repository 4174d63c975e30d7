import type { Hash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { lstat, mkdir, open, readdir, rename, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import tar from 'tar-stream'
import { RelayError, codeOf } from '../errors.ts'
import { syncFolder } from '../objects/atomic-file.ts'
import { FolderLock } from '../storage/local/lock.ts'

/** A file to be put into a backup. `size` in bytes. */
export interface BackupFile { path: string, size: number, body: Readable }

/** Where a backup goes. What is there under its name is whole: it is made beside, in a folder `<name>.partial`. */
export interface BackupTarget {
  add (file: BackupFile): Promise<void>
  /** Puts it on disk and gives it its name. */
  finish (): Promise<void>
  /** Deletes what there is of it. */
  abort (): Promise<void>
}

const LOCK = 'lock.d'

/**
 * The target that a name asks for: an archive when it ends in `.tar`, else a folder.
 * @throws RelayError RELAY_BAD_OPTION when there is something already, RELAY_STORAGE_FAILED when another backup is
 *   being written there
 */
export async function openTarget (name: string): Promise<BackupTarget> {
  const place = path.resolve(name)
  await refuseThere(name, place)
  const workshop = new Workshop(place)
  await workshop.open()
  try {
    await refuseThere(name, place) // since another one has finished it
    if (!place.endsWith('.tar')) return new FolderTarget(workshop)
    return new TarTarget(async archive => {
      await pipeline(archive, createWriteStream(workshop.made, { flags: 'wx', flush: true }))
    }, workshop)
  } catch (error) {
    await workshop.close()
    throw error
  }
}

async function refuseThere (name: string, place: string): Promise<void> {
  if (await isThere(place)) {
    throw new RelayError('RELAY_BAD_OPTION', `${name} is there already: a backup needs a name of its own`)
  }
}

/** The folder in which one backup at a time is made; what one that was killed has left there is deleted. */
class Workshop {
  /** What the backup will be. */
  readonly place: string
  /** Where it is made. */
  readonly made: string
  readonly #folder: string
  readonly #lock: FolderLock

  constructor (place: string) {
    this.place = place
    this.#folder = `${place}.partial`
    this.made = path.join(this.#folder, path.basename(place))
    this.#lock = new FolderLock(this.#folder)
  }

  async open (): Promise<void> {
    try {
      await this.#lock.take()
    } catch (error) {
      // in use, then
      for (const folder of [path.join(this.#folder, LOCK), this.#folder]) await rmdir(folder).catch(() => {})
      throw error
    }
    for (const name of await readdir(this.#folder)) {
      if (name !== LOCK) await rm(path.join(this.#folder, name), { recursive: true, force: true })
    }
  }

  /** Gives what was made its name. */
  async finish (): Promise<void> {
    await this.#lock.check()
    await rename(this.made, this.place)
    await syncFolder(path.dirname(this.place))
    await this.close()
  }

  async close (): Promise<void> {
    await rm(this.made, { recursive: true, force: true })
    await this.#lock.release()
    await rm(this.#folder, { recursive: true, force: true })
  }
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
  readonly #workshop: Workshop
  readonly #folders = new Set<string>()

  constructor (workshop: Workshop) {
    this.#workshop = workshop
  }

  async add ({ path: name, body }: BackupFile): Promise<void> {
    const file = path.join(this.#workshop.made, name)
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
    await this.#workshop.finish()
  }

  async abort (): Promise<void> { await this.#workshop.close() }

  async #makeFolder (folder: string): Promise<void> {
    if (this.#folders.has(folder)) return
    await mkdir(folder, { recursive: true })
    for (let at = folder; at !== path.dirname(this.#workshop.made); at = path.dirname(at)) this.#folders.add(at)
  }
}

/** An archive, handed on as it is made. */
export class TarTarget implements BackupTarget {
  readonly #pack = tar.pack()
  readonly #written: Promise<void>
  readonly #workshop: Workshop | undefined

  /** @param take takes the archive's bytes; resolved when they are where they are to stay */
  constructor (take: (archive: AsyncIterable<Uint8Array>) => Promise<void>, workshop?: Workshop) {
    this.#workshop = workshop
    this.#pack.on('error', () => {}) // of one that nobody has begun to take
    this.#written = take(this.#pack as AsyncIterable<Uint8Array>)
    this.#written.catch(() => {}) // told to who adds or finishes
  }

  async add ({ path: name, size, body }: BackupFile): Promise<void> {
    const entry = this.#pack.entry({ name, size, mode: 0o600 })
    const added = pipeline(body, entry)
    added.catch(() => {}) // where taking failed, that is told
    await Promise.race([added, this.#written])
  }

  async finish (): Promise<void> {
    this.#pack.finalize()
    await this.#written
    await this.#workshop?.finish()
  }

  async abort (): Promise<void> {
    this.#pack.destroy(new Error('the backup was broken off'))
    await this.#written.catch(() => {}) // that it was broken off
    await this.#workshop?.close()
  }
}

/** Passes bytes on and has them summed. */
export async function * summed (body: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    hash.update(chunk)
    yield chunk
  }
}

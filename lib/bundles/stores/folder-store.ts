import { randomUUID } from 'node:crypto'
import { constants, copyFile, mkdir, open, readFile, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import { silent, type Log } from '../../log.ts'
import { BUNDLES, bundleKey, idOfKey, ownerOf } from './key.ts'
import { openLocalFile } from './local-file.ts'
import type { BundleFile, BundlePage, BundleStore, ListedBundle, PutOptions, StoredBundle } from './store.ts'

const STALE_AFTER = 60 * 60 * 1000 // ms: a copy under way is written to all the time
const TEMPORARY = /^\.put-[0-9a-f-]{36}$/

/** Bundles as files at `<folder>/bundles/<id>.tonk`, whose they are in `<id>.owner` beside them. A bundle is one file, never changed but replaced by renaming. */
export class FolderStore implements BundleStore {
  readonly #root: string
  readonly #folder: string
  readonly #log: Log

  constructor ({ folder, log = silent }: { folder: string, log?: Log }) {
    this.#root = path.resolve(folder)
    this.#folder = path.join(this.#root, 'bundles')
    this.#log = log
  }

  /** Holds the file open, so that its bytes stay readable while a `put` replaces it. */
  async open (id: DocumentId): Promise<StoredBundle | null> {
    try {
      return await openLocalFile(this.#path(id), error => unavailable('read', error), await this.#owner(id))
    } catch (error) {
      if (codeOf((error as Error).cause) === 'ENOENT') return null
      throw codeOf(error) === 'RELAY_STORE_UNAVAILABLE' ? error : unavailable('open', error)
    }
  }

  /** Moves the file into place; across file systems it is copied and left where it was. */
  async put (id: DocumentId, { path: file }: BundleFile, { owner, replaces }: PutOptions = {}): Promise<void> {
    const target = this.#path(id)
    try {
      await seal(file)
      if (replaces !== undefined) await this.#mustBe(id, replaces)
      if (owner !== undefined) await this.#own(id, owner)
      try {
        await rename(file, target)
      } catch (error) {
        if (codeOf(error) !== 'EXDEV') throw error
        await this.#copy(file, target)
      }
      await sync(this.#folder)
    } catch (error) {
      throw error instanceof RelayError ? error : unavailable('store', error)
    }
  }

  async list ({ after = '', limit }: BundlePage): Promise<ListedBundle[]> {
    try {
      const ids = (await readdir(this.#folder)).map(name => idOfKey(BUNDLES + name)).filter(id => id !== undefined && id > after)
      const listed = await Promise.all(ids.sort().slice(0, limit).map(async id => await this.#listed(id!)))
      return listed.filter(bundle => bundle !== null)
    } catch (error) {
      throw unavailable('list', error)
    }
  }

  async remove (id: DocumentId): Promise<void> {
    try {
      for (const file of [this.#path(id), this.#ownerPath(id)]) await rm(file, { force: true })
      await sync(this.#folder)
    } catch (error) {
      throw unavailable('delete', error)
    }
  }

  /** Makes the folder, deletes what a killed process left in it, and proves that it can be written. */
  async check (): Promise<void> {
    try {
      await this.#make()
      await this.#clear()
      const probe = this.#temporary()
      await this.#orRemove(probe, async () => await writeFile(probe, 'probe', { flag: 'wx', flush: true }))
      await rm(probe)
    } catch (error) {
      const message = `bundle folder ${this.#folder} cannot be used: ${messageOf(error)}`
      throw new RelayError('RELAY_STORE_UNAVAILABLE', message, { cause: error })
    }
  }

  async close (): Promise<void> {}

  /** Null when it has gone meanwhile. */
  async #listed (id: DocumentId): Promise<ListedBundle | null> {
    try {
      const { size, mtime: modified } = await stat(this.#path(id))
      return { id, size, modified }
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return null
      throw error
    }
  }

  #path (id: DocumentId): string { return path.join(this.#root, bundleKey(id)) }

  async #owner (id: DocumentId): Promise<string | undefined> {
    try {
      return await readFile(this.#ownerPath(id), 'utf8')
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw unavailable('open', error)
    }
  }

  /** Before the bundle is there: one without its owner would be nobody's. */
  async #own (id: DocumentId, owner: string): Promise<void> {
    if (await this.#owner(id) === owner) return
    const temporary = this.#temporary()
    await this.#orRemove(temporary, async () => {
      await writeFile(temporary, owner, { flag: 'wx', flush: true })
      await rename(temporary, this.#ownerPath(id))
    })
  }

  /** One relay has the folder to itself, and stores one version of a bundle at a time: nobody comes in between. */
  async #mustBe (id: DocumentId, etag: string | null): Promise<void> {
    const stored = await this.open(id)
    await stored?.close()
    if ((stored?.etag ?? null) !== etag) throw changed()
  }

  #ownerPath (id: DocumentId): string { return ownerOf(this.#path(id)) }

  #temporary (): string { return path.join(this.#folder, `.put-${randomUUID()}`) }

  async #copy (file: string, target: string): Promise<void> {
    const temporary = this.#temporary()
    await this.#orRemove(temporary, async () => {
      await copyFile(file, temporary, constants.COPYFILE_EXCL)
      await seal(temporary)
      await rename(temporary, target)
    })
  }

  async #orRemove (temporary: string, write: () => Promise<void>): Promise<void> {
    try {
      await write()
    } catch (error) {
      await rm(temporary, { force: true }).catch(failure => {
        this.#log.warn({ err: failure, temporary }, 'a temporary bundle file could not be deleted')
      })
      throw error
    }
  }

  /** The folder and those above it, durable like the bundles in it. */
  async #make (): Promise<void> {
    const made = await mkdir(this.#folder, { recursive: true })
    if (made === undefined) return
    for (let folder = this.#folder; folder !== path.dirname(made); folder = path.dirname(folder)) {
      await sync(path.dirname(folder))
    }
  }

  async #clear (): Promise<void> {
    for (const name of (await readdir(this.#folder)).filter(name => TEMPORARY.test(name))) {
      const temporary = path.join(this.#folder, name)
      try {
        if (Date.now() - (await stat(temporary)).mtimeMs < STALE_AFTER) continue
        await rm(temporary)
        this.#log.info({ temporary }, 'deleted an unfinished bundle')
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error // its own `put` ended meanwhile
      }
    }
  }
}

/**
 * Dates a complete file as stored now and puts it on disk. The ETag counts on the date: a file may come with any, and
 * an inode may be used again, even within a millisecond, hence the fraction.
 */
async function seal (file: string): Promise<void> {
  const now = (Date.now() + performance.now() % 1) / 1000
  await utimes(file, now, now)
  await sync(file)
}

/** fsync of a file, or of a folder after names in it changed. */
async function sync (file: string): Promise<void> {
  const handle = await open(file, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const changed = (): RelayError => new RelayError('RELAY_PRECONDITION_FAILED', 'the bundle was replaced meanwhile')

/** Clients may see the message, so it names no path; the cause does. */
const unavailable = (doing: string, error: unknown): RelayError =>
  new RelayError('RELAY_STORE_UNAVAILABLE', `cannot ${doing} the bundle: ${codeOf(error) ?? messageOf(error)}`, { cause: error })

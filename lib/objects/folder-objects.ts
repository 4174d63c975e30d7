import { randomUUID } from 'node:crypto'
import {
  constants, access, copyFile, mkdir, open, readFile, rename, rm, stat, utimes, writeFile
} from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { RelayError, codeOf, messageOf, type RelayErrorCode } from '../errors.ts'
import { KeyedQueue } from '../keyed-queue.ts'
import { silent, type Log } from '../log.ts'
import { clearScratch, makeFolder, syncFolder } from './atomic-file.ts'
import { keysIn } from './folder-listing.ts'
import { factsOf, openLocalFile } from './local-file.ts'
import { isFile, openBody, verifyFile } from './object-body.ts'
import { checkKey, ownerOf } from './object-key.ts'
import type {
  Abortable, ListOptions, ListedObject, ObjectBody, ObjectFacts, ObjectStore, OpenOptions, PutOptions, StoredObject
} from './object-store.ts'

const TEMPORARY = /^\.put-[0-9a-f-]{36}$/

export interface FolderObjectsOptions {
  folder: string
  /** Folder for what is being written, on the same file system */
  scratch?: string
  log?: Log
  /** The code of errors */
  failure?: RelayErrorCode
}

/**
 * Objects as files: `<folder>/<key>`, and whose they are in a file `.owner` beside them. An object is one file, never
 * changed but replaced by renaming. One relay has the folder to itself.
 */
export class FolderObjects implements ObjectStore {
  readonly #root: string
  readonly #scratch: string
  readonly #log: Log
  readonly #failure: RelayErrorCode
  readonly #commits = new KeyedQueue()

  constructor ({ folder, scratch = folder, log = silent, failure = 'RELAY_STORE_UNAVAILABLE' }: FolderObjectsOptions) {
    this.#root = path.resolve(folder)
    this.#scratch = path.resolve(scratch)
    this.#log = log
    this.#failure = failure
  }

  /** Holds the file open, so that its bytes stay readable while a `put` replaces it. */
  async open (key: string, { signal, changed }: OpenOptions = {}): Promise<StoredObject | null> {
    return await this.#doing('open', key, signal, async () => {
      const owner = await this.#owner(key)
      return await openLocalFile(this.#path(key), { owner, changed, refuse: error => this.#failed('read', key, error) })
    }, null)
  }

  async read (key: string, { signal }: Abortable = {}): Promise<Buffer | null> {
    return await this.#doing('read', key, signal, async () => await readFile(this.#path(key), { signal }), null)
  }

  async head (key: string, { signal }: Abortable = {}): Promise<ObjectFacts | null> {
    return await this.#doing('open', key, signal, async () => {
      const facts = await stat(this.#path(key), { bigint: true })
      if (!facts.isFile()) throw new Error('not a file')
      return { ...factsOf(facts), owner: await this.#owner(key) }
    }, null)
  }

  /** Moves a file into place; across file systems it is copied and left where it was. */
  async put (
    key: string, body: ObjectBody, { signal, owner, replaces, sha256 }: PutOptions = {}
  ): Promise<{ etag: string }> {
    const target = this.#path(key)
    return await this.#doing('store', key, signal, async () => {
      const isWritten = !isFile(body)
      const file = isWritten ? await this.#write(body, sha256, signal) : body.path
      try {
        if (isFile(body) && sha256 !== undefined) await verifyFile(body, sha256)
        const etag = await seal(file)
        return await this.#commits.run(key, async () => {
          signal?.throwIfAborted()
          if (replaces !== undefined && (await this.head(key))?.etag !== (replaces ?? undefined)) {
            throw replacedMeanwhile(key)
          }
          await makeFolder(path.dirname(target))
          if (owner !== undefined) await this.#own(key, owner)
          const moved = await this.#move(file, target)
          await syncFolder(path.dirname(target))
          return { etag: moved ?? etag }
        })
      } catch (error) {
        if (isWritten) await this.#discard(file)
        throw error
      }
    })
  }

  async list ({ prefix, after, limit, signal }: ListOptions): Promise<ListedObject[]> {
    return await this.#doing('list', prefix, signal, async () => {
      const listed: ListedObject[] = []
      for await (const key of keysIn(this.#root, prefix, after)) {
        if (listed.length >= limit) break
        signal?.throwIfAborted()
        const facts = await stat(path.join(this.#root, key), { bigint: true }).catch(error => {
          if (codeOf(error) !== 'ENOENT') throw error // removed meanwhile
        })
        if (facts?.isFile() === true) listed.push({ key, ...factsOf(facts) })
      }
      if (listed.length === 0) await access(this.#root) // a folder that went away has not become an empty one
      return listed
    })
  }

  async remove (key: string, { signal }: Abortable = {}): Promise<void> {
    const target = this.#path(key)
    await this.#doing('delete', key, signal, async () => {
      await this.#commits.run(key, async () => {
        for (const file of [target, ownerOf(target)]) await rm(file, { force: true })
        await syncFolder(path.dirname(target))
      })
    }, undefined)
  }

  /** Makes the folders, deletes what a killed process left in them, and proves that they can be written. */
  async check (prefix: string): Promise<void> {
    const folder = path.join(this.#root, prefix)
    try {
      for (const used of new Set([path.resolve(folder), this.#scratch])) {
        await makeFolder(used)
        for (const temporary of await clearScratch(used, TEMPORARY)) {
          this.#log.info({ temporary }, 'deleted an unfinished object')
        }
      }
      const probe = temporaryIn(folder)
      await this.#orDiscard(probe, async () => { await writeFile(probe, 'probe', { flag: 'wx', flush: true }) })
      await rm(probe)
    } catch (error) {
      throw new RelayError(this.#failure, `folder ${folder} cannot be used: ${messageOf(error)}`, { cause: error })
    }
  }

  async close (): Promise<void> {}

  /** @throws RelayError RELAY_INTERNAL */
  #path (key: string): string { return path.join(this.#root, checkKey(key)) }

  async #owner (key: string): Promise<string | undefined> {
    return await readFile(ownerOf(this.#path(key)), 'utf8').catch(error => {
      if (codeOf(error) !== 'ENOENT') throw error
      return undefined
    })
  }

  /** Before the object is there: one without its owner would be nobody's. */
  async #own (key: string, owner: string): Promise<void> {
    if (await this.#owner(key) === owner) return
    const temporary = await this.#write(Buffer.from(owner))
    await this.#orDiscard(temporary, async () => {
      const file = ownerOf(this.#path(key))
      await syncFile(temporary)
      await rename(temporary, file)
    })
  }

  /** Writes a new file, in a folder that may have been cleared away. Nothing is left of one that fails. */
  async #write (body: Exclude<ObjectBody, { path: string }>, sha256?: string, signal?: AbortSignal): Promise<string> {
    const bytes = openBody(body, sha256)
    try {
      await mkdir(this.#scratch, { recursive: true })
      const temporary = temporaryIn(this.#scratch)
      await this.#orDiscard(temporary, async () => { await writeFile(temporary, bytes, { flag: 'wx', signal }) })
      return temporary
    } finally {
      for (const stream of [bytes, body]) if (stream instanceof Readable) stream.destroy()
    }
  }

  /** @returns the ETag, of a copy */
  async #move (file: string, target: string): Promise<string | undefined> {
    try {
      await rename(file, target)
    } catch (error) {
      if (codeOf(error) !== 'EXDEV') throw error
      const temporary = temporaryIn(path.dirname(target))
      return await this.#orDiscard(temporary, async () => {
        await copyFile(file, temporary, constants.COPYFILE_EXCL)
        const etag = await seal(temporary)
        await rename(temporary, target)
        return etag
      })
    }
  }

  async #orDiscard<T> (temporary: string, write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      await this.#discard(temporary)
      throw error
    }
  }

  async #discard (temporary: string): Promise<void> {
    await rm(temporary, { force: true }).catch(failure => {
      this.#log.warn({ err: failure, temporary }, 'a temporary file could not be deleted')
    })
  }

  /** What the system says as an error for clients. @param missing what to give when there is none */
  async #doing<T, Missing = T> (
    doing: string, key: string, signal: AbortSignal | undefined, run: () => Promise<T>, ...missing: [] | [Missing]
  ): Promise<T | Missing> {
    signal?.throwIfAborted()
    try {
      return await run()
    } catch (error) {
      if (signal?.aborted === true) throw signal.reason
      if (missing.length > 0 && codeOf(error instanceof RelayError ? error.cause : error) === 'ENOENT') {
        return missing[0] as Missing
      }
      throw error instanceof RelayError ? error : this.#failed(doing, key, error)
    }
  }

  /** Clients may see the message, so it names no path; the cause does. */
  #failed (doing: string, key: string, error: unknown): RelayError {
    return new RelayError(
      this.#failure, `cannot ${doing} ${key}: ${codeOf(error) ?? messageOf(error)}`, { cause: error }
    )
  }
}

const temporaryIn = (folder: string): string => path.join(folder, `.put-${randomUUID()}`)

/**
 * Dates a complete file as stored now and puts it on disk; gives its ETag. That counts on the date: a file may come
 * with any, and an inode may be used again, even within a millisecond, hence the fraction.
 */
async function seal (file: string): Promise<string> {
  const now = (Date.now() + performance.now() % 1) / 1000
  await utimes(file, now, now)
  return await syncFile(file)
}

/** fsync of a file; gives its ETag. */
async function syncFile (file: string): Promise<string> {
  const handle = await open(file, 'r')
  try {
    await handle.sync()
    return factsOf(await handle.stat({ bigint: true })).etag
  } finally {
    await handle.close()
  }
}

const replacedMeanwhile = (key: string): RelayError =>
  new RelayError('RELAY_PRECONDITION_FAILED', `${key} was replaced meanwhile`)

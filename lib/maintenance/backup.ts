import { createHash } from 'node:crypto'
import { open, readdir, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { BUNDLES } from '../bundles/stores/key.ts'
import { RelayError, codeOf, messageOf } from '../errors.ts'
import { ownerOf } from '../objects/object-key.ts'
import { nameOf } from '../storage/compactor.ts'
import { tombstone, tombstoneOf } from '../storage/tombstone.ts'
import { version } from '../version.ts'
import { openTarget, summed, type BackupTarget } from './backup-target.ts'
import { FolderReader } from './folder-reader.ts'
import { namesIn } from './names-in.ts'
import { storedBundles, type BundlePlace } from './stored-bundles.ts'

/** The first and the last file of a backup. The sums are as `sha256sum -c` reads them. */
export const FACTS = 'backup.json'
export const SUMS = 'SHA256SUMS'
export const FORMAT = 1

export interface BackupOptions extends BundlePlace {
  /** Folder of the documents. A relay may be using it. */
  storage: string
  /** A folder, or a file that ends in `.tar`; neither is there yet. Or what takes the files. */
  target: string | BackupTarget
}

export interface BackupSummary { documents: number, bundles: number, files: number, bytes: number }

/**
 * What a relay makes anew, or what is only its own: no part of a backup. Documents, bundles and the journal are read
 * otherwise.
 */
export const VAULT = 'vault'
const LEFT_OUT = /^(tmp|merged|journal|bundles|webhooks|lock(\..*)?)$/

/**
 * Copies all that is stored while a relay may go on using it: everything that was acknowledged before is in it, each
 * document with all it depends on. What is in the journal is written as a file of its document, so that a backup is
 * plain nodefs.
 * @throws RelayError RELAY_BAD_OPTION or RELAY_STORAGE_FAILED
 */
export async function backUp ({ storage, target: given, ...place }: BackupOptions): Promise<BackupSummary> {
  const reader = new FolderReader(storage)
  await proveThere(storage)
  const target = typeof given === 'string' ? await openTarget(given) : given
  const writer = new Writer(target)
  try {
    await writer.bytes(
      FACTS, Buffer.from(`${JSON.stringify({ format: FORMAT, version, createdAt: new Date().toISOString() })}\n`)
    )
    // first: what a bundle holds is merged into the documents after it is stored
    const bundleCount = await addBundles(writer, place)
    await addOthers(writer, reader.folder.folder)
    const documentCount = await addDocuments(writer, reader)
    const { files, size } = writer
    await writer.finish()
    await target.finish()
    // it tells of what was stored
    return { documents: documentCount, bundles: bundleCount, files: files - 1, bytes: size }
  } catch (error) {
    await target.abort()
    throw error instanceof RelayError
      ? error
      : new RelayError(
        'RELAY_STORAGE_FAILED', `not backed up: ${messageOf(error)}`, { cause: error }
      )
  }
}

async function proveThere (storage: string): Promise<void> {
  await readdir(storage).catch(cause => {
    throw new RelayError('RELAY_BAD_OPTION', `storage ${storage}: ${messageOf(cause)}`, { cause })
  })
}

async function addDocuments (writer: Writer, reader: FolderReader): Promise<number> {
  let count = 0
  for await (const { id, files, pending, isDeleted } of reader.documents()) {
    const folder = path.posix.join(id.slice(0, 2), id.slice(2))
    if (isDeleted) await writer.bytes(path.posix.join(folder, ...tombstoneOf(id).slice(1)), tombstone())
    if (files.length + pending.length === 0) continue // there is a folder, and nothing in it any more
    for (const { key, data } of files) await writer.bytes(path.posix.join(folder, ...key.slice(1)), data)
    if (pending.length > 0) {
      const chunk = Buffer.concat(pending)
      const name = path.posix.join(folder, 'incremental', nameOf(chunk))
      if (!writer.has(name)) await writer.bytes(name, chunk)
    }
    count++
    writer.forget()
  }
  return count
}

async function addBundles (writer: Writer, place: BundlePlace): Promise<number> {
  let count = 0
  for await (const { name, open } of storedBundles(place)) {
    const opened = await open()
    if (opened === null) continue // deleted meanwhile
    try {
      if (opened.owner !== undefined) await writer.bytes(ownerOf(`${BUNDLES}${name}`), Buffer.from(opened.owner))
      await writer.stream(`${BUNDLES}${name}`, opened.size, opened.stream())
      count++
    } finally {
      await opened.close()
    }
  }
  writer.forget()
  return count
}

const isFile = async (file: string): Promise<boolean> => (await stat(file).catch(() => undefined))?.isFile() === true

/** Whatever else there is: the storage's id, the blank bundle, what was set aside as damaged. */
async function addOthers (writer: Writer, storage: string): Promise<void> {
  const add = async (name: string): Promise<void> => {
    for (const entry of await readdir(path.join(storage, name), { withFileTypes: true, recursive: true })) {
      const file = path.join(entry.parentPath, entry.name)
      if (entry.isFile()) await writer.file(path.relative(storage, file).split(path.sep).join('/'), file)
    }
  }
  for (const entry of await readdir(storage, { withFileTypes: true })) {
    if (LEFT_OUT.test(entry.name) || (entry.isDirectory() && entry.name.length === 2)) continue
    if (entry.name === VAULT) {
      const key = path.join(storage, VAULT, 'key')
      if (await isFile(key)) await writer.file(`${VAULT}/key`, key) // shards are copies themselves
      continue
    }
    if (entry.isFile()) await writer.file(entry.name, path.join(storage, entry.name))
    else if (entry.isDirectory()) await add(entry.name)
  }
  await writer.file('st/orage-adapter-id', path.join(storage, 'st', 'orage-adapter-id'))
  for (const name of await namesIn(path.join(storage, 'journal'), '.damaged')) {
    await writer.file(`journal/${name}`, path.join(storage, 'journal', name))
  }
  writer.forget()
}

/** Adds files one by one and keeps their sums. */
class Writer {
  files = 0
  size = 0
  readonly #target: BackupTarget
  readonly #sums: string[] = []
  readonly #latest = new Set<string>()

  constructor (target: BackupTarget) {
    this.#target = target
  }

  /** Whether a file has been added since `forget`. */
  has (name: string): boolean { return this.#latest.has(name) }

  forget (): void { this.#latest.clear() }

  async bytes (name: string, bytes: Uint8Array): Promise<void> {
    await this.stream(name, bytes.length, Readable.from([bytes], { objectMode: false }))
  }

  /** Adds a file as it is when it is opened; false when it is gone. */
  async file (name: string, place: string): Promise<boolean> {
    let handle: FileHandle
    try {
      handle = await open(place)
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false
      throw error
    }
    try {
      const { size } = await handle.stat()
      await this.stream(name, size, size === 0
        ? Readable.from([])
        : handle.createReadStream({
          end: size - 1, autoClose: false
        }))
      return true
    } finally {
      await handle.close()
    }
  }

  async finish (): Promise<void> {
    const sums = Buffer.from(this.#sums.join(''))
    await this.#target.add({ path: SUMS, size: sums.length, body: Readable.from([sums], { objectMode: false }) })
  }

  async stream (name: string, size: number, body: Readable): Promise<void> {
    const hash = createHash('sha256')
    await this.#target.add({ path: name, size, body: Readable.from(summed(body, hash), { objectMode: false }) })
    this.#sums.push(`${hash.digest('hex')}  ${name}\n`)
    this.#latest.add(name)
    this.files++
    this.size += size
  }
}

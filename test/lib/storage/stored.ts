import type { Test } from 'tap'
import { randomBytes } from 'node:crypto'
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import * as Automerge from '@automerge/automerge'
import { generateAutomergeUrl, parseAutomergeUrl, Repo, type AutomergeUrl } from '@automerge/automerge-repo'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import { AutomergePool } from '../../../lib/automerge/workers/pool.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { silent, type Log } from '../../../lib/log.ts'
import { AdapterChunks, type StorageAdapter } from '../../../lib/storage/chunks/adapter-chunks.ts'
import { DocumentChunks } from '../../../lib/storage/document-chunks.ts'
import { FolderChunks } from '../../../lib/storage/local/folder-chunks.ts'
import { Documents } from '../../../lib/storage/stored-documents.ts'
import type { Durability } from '../../../lib/storage/local/journal.ts'
import { scratch } from '../../scratch.ts'

export interface Fields { [key: string]: unknown }

/** The stored documents of a folder, opened; closed with the test, if that can be. */
export async function open (
  t: Test,
  {
    folder = '', durability = 'fsync' as Durability, log = silent as Log,
    adapter = undefined as StorageAdapter | undefined
  } = {}
) {
  folder ||= await scratch(t)
  const automerge = new AutomergePool()
  const documents = new Documents({ folder, durability, automerge, log, chunks: adapter && new AdapterChunks(adapter) })
  await documents.open()
  let closing: Promise<void> | undefined
  const close = async () => { await (closing ??= documents.close().finally(() => automerge.close())) }
  t.teardown(async () => { await close().catch(() => {}) }) // of those that are left with a broken disk
  return { documents, folder, close }
}

/** A document as Automerge has it, whose changes are to be stored. */
export class Original {
  readonly id = parseAutomergeUrl(generateAutomergeUrl()).documentId as string as DocumentId
  doc = Automerge.from<Fields>({ n: 0 })

  get heads (): Automerge.Heads { return Automerge.getHeads(this.doc) }

  /** All of it. */
  get saved (): Uint8Array { return Automerge.save(this.doc) }

  /** Makes a change and gives it as a chunk. */
  change (fields: Fields): Uint8Array {
    return this.#since(Automerge.change(this.doc, doc => { Object.assign(doc, fields) }))
  }

  /** Two people change it at once; both changes. */
  changeAtOnce (fields: Fields, others: Fields): Uint8Array {
    const other = Automerge.change(Automerge.clone(this.doc), doc => { Object.assign(doc, others) })
    const mine = Automerge.change(this.doc, doc => { Object.assign(doc, fields) })
    return this.#since(Automerge.merge(mine, other))
  }

  #since (doc: Automerge.Doc<Fields>): Uint8Array {
    const before = this.heads
    this.doc = doc
    return Automerge.saveSince(doc, before)
  }
}

/** Bytes that cannot be compressed. */
export const noise = (length: number): Uint8Array => new Uint8Array(randomBytes(length))

/** Loads chunks as strictly as Automerge can. */
export const load = (chunks: Uint8Array[]): Automerge.Doc<Fields> => Automerge.load<Fields>(Buffer.concat(chunks))

export const holds = (chunks: Uint8Array[], heads: Automerge.Heads): boolean =>
  chunks.length > 0 && Automerge.hasHeads(load(chunks), heads)

/** A document as automerge-repo's own storage finds it in a folder. */
export async function stock (folder: string, id: DocumentId): Promise<Automerge.Doc<Fields>> {
  const repo = new Repo({ storage: new NodeFSStorageAdapter(folder) })
  return (await repo.find<Fields>(`automerge:${id}` as AutomergeUrl)).doc()
}

const folderOf = (folder: string, id: DocumentId, kind: string): string =>
  path.join(folder, id.slice(0, 2), id.slice(2), kind)

/** Puts a file of a document there, as some other program may have done. */
export function place (
  folder: string, id: DocumentId, kind: 'incremental' | 'snapshot', name: string, chunk: Uint8Array
): void {
  mkdirSync(folderOf(folder, id, kind), { recursive: true })
  writeFileSync(path.join(folderOf(folder, id, kind), name), chunk)
}

/** The chunks of a document that are files, read without the relay. */
export const chunksIn = async (folder: string, id: DocumentId): Promise<Uint8Array[]> =>
  (await new DocumentChunks(new FolderChunks(folder)).load(id)).map(({ data }) => data)

/** How many files a document has: `[incrementals, snapshots]`. */
export function files (folder: string, id: DocumentId): [number, number] {
  const count = (kind: string) =>
    existsSync(folderOf(folder, id, kind)) ? readdirSync(folderOf(folder, id, kind)).length : 0
  return [count('incremental'), count('snapshot')]
}

/**
 * Copies a folder as it is now: what a process that is killed now leaves (its lock is this process's, so that is left
 * out).
 */
export function copyTo (copy: string, folder: string): string {
  cpSync(folder, copy, { recursive: true, filter: name => path.basename(name) !== 'lock.d' })
  return copy
}

/** What is in the journal's folder. */
export const journalOf = (folder: string): string[] => readdirSync(path.join(folder, 'journal'))

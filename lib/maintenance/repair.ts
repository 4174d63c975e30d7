import { rename } from 'node:fs/promises'
import path from 'node:path'
import { findChunks } from '../automerge/format/find-chunks.ts'
import type { DocumentId } from '../ids.ts'
import { silent } from '../log.ts'
import { makeFolder } from '../objects/atomic-file.ts'
import { nameOf } from '../storage/compactor.ts'
import { Documents } from '../storage/stored-documents.ts'
import { FolderChunks } from '../storage/local/folder-chunks.ts'
import { storagePath } from '../storage/key.ts'
import { FolderLock } from '../storage/local/lock.ts'
import { Check, bundledChunks, type CheckParts, type CheckSummary, type DocumentProblem } from './check.ts'
import type { BundleEntry } from './stored-bundles.ts'

const ASIDE = 'damaged'

/**
 * Checks everything and repairs what can be. Nothing is deleted: files that are damaged are set aside in
 * `<storage>/damaged`, and all that could be read of their documents, here or in a bundle, is stored as one file.
 * @throws RelayError RELAY_STORAGE_FAILED when a relay uses the folder
 */
export async function checkAndRepair (parts: CheckParts): Promise<CheckSummary> {
  await foldJournal(parts)
  const lock = new FolderLock(parts.storage)
  await lock.take()
  try {
    return await new Check(parts).run(async problem =>
      'bundle' in problem ? await setBundleAside(parts.storage, problem.bundle) : await repairDocument(parts, problem))
  } finally {
    await lock.release()
  }
}

/** What is in the journal goes into files first, so that a document is in one place. */
async function foldJournal ({ storage, automerge }: CheckParts): Promise<void> {
  const documents = new Documents({ folder: storage, durability: 'fsync', automerge, log: silent })
  await documents.open()
  await documents.close()
}

/** Only files are: what is elsewhere is its operator's to delete. */
async function setBundleAside (storage: string, { name, file }: BundleEntry): Promise<string | undefined> {
  if (file === undefined) return undefined
  await move(file, path.join(storage, ASIDE, 'bundles', name))
  return `set aside in ${ASIDE}/bundles`
}

async function repairDocument (parts: CheckParts, { document, damaged }: DocumentProblem): Promise<string> {
  const { storage, automerge } = parts
  const { id, files } = document
  const chunks = files.flatMap(({ data }) => findChunks(data))
  for await (const chunk of bundledChunks(parts, id)) chunks.push(chunk)
  const { chunk, lost } = await automerge.salvage(chunks)
  if (chunk !== null) await new FolderChunks(storage).save([id, 'snapshot', nameOf(chunk)], chunk)
  const kept = chunk === null ? '' : nameOf(chunk)
  const bad = new Set(damaged.map(({ key }) => String(key)))
  // without what is lost, what depends on it cannot be loaded; with all there, only what is damaged is in the way
  const aside = files.filter(({ key }) => key[2] !== kept && (lost > 0 || chunk === null || bad.has(String(key))))
  for (const { key } of aside) await setFileAside(storage, id, key)
  const told = `${aside.length} files set aside in ${ASIDE}`
  if (chunk === null) return `nothing could be read; ${told}`
  return lost > 0
    ? `stored what could be read, without ${lost} changes that depend on what is lost; ${told}`
    : `stored what could be read; ${told}`
}

async function setFileAside (storage: string, id: DocumentId, key: string[]): Promise<void> {
  await move(storagePath(storage, key), path.join(storage, ASIDE, id, ...key.slice(1)))
}

async function move (from: string, to: string): Promise<void> {
  await makeFolder(path.dirname(to))
  await rename(from, to)
}

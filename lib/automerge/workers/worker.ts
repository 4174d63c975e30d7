import * as Automerge from '@automerge/automerge'
import { messageOf } from '../../errors.ts'
import { isDocumentId, type DocumentId } from '../../ids.ts'
import { CHUNK_TYPES, splitChunks } from '../format/chunk.ts'
import { readDocument } from '../checks/document.ts'
import { verifyChunks } from '../checks/verify.ts'
import { loadable } from './loadable.ts'

// Runs in a worker thread (see pool.ts): a panic or a memory blow-up of Automerge's WASM stays here.

const concat = (chunks: Uint8Array[]): Uint8Array => chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)

/** Loads, hands over, frees; Automerge's memory is not the garbage collector's. */
function withDocument<T> (chunks: Uint8Array[], use: (document: Automerge.Doc<unknown>) => T): T {
  const document = Automerge.load<unknown>(loadable(chunks))
  try {
    return use(document)
  } finally {
    Automerge.free(document)
  }
}

/**
 * The ids a document of Tonk's file system points to. In a root document: `entries` as `{ [path]: { doc_id } }`
 * (today), or `path_index` as JSON text of `{ paths: { [path]: { doc_id } } }`; in a directory: `children` as a list of
 * `{ pointer }`. Anything malformed points nowhere.
 */
function referencesOf (document: Automerge.Doc<unknown>): DocumentId[] {
  const { path_index: index, entries, children } =
    document as { path_index?: unknown, entries?: unknown, children?: unknown }
  const found: unknown[] = Array.isArray(children) ? children.map(child => child?.pointer) : []
  for (const paths of [entries, index === undefined ? undefined : parseJson(String(index))?.paths]) {
    if (typeof paths === 'object' && paths !== null) found.push(...Object.values(paths).map(entry => entry?.doc_id))
  }
  return [...new Set(found.map(id => String(id)).filter(isDocumentId))]
}

function parseJson (text: string): { paths?: Record<string, { doc_id?: unknown } | null> } | null {
  try {
    return JSON.parse(text)
  } catch {
    return null // an index that is not JSON refers to nothing
  }
}

/** What changes of it depend on and is not there. */
const missingFrom = (document: Automerge.Doc<unknown>): string[] => Automerge.getMissingDeps(document, [])

const incomplete = (): Error => new Error('changes it depends on are missing')

export const jobs = {
  inspect: (chunks: Uint8Array[]) => withDocument(chunks, document => {
    if (missingFrom(document).length > 0) throw incomplete()
    return { heads: Automerge.getHeads(document), references: referencesOf(document) }
  }),

  heads: (chunks: Uint8Array[]) => withDocument(chunks, document => ({
    heads: Automerge.getHeads(document), missing: missingFrom(document).length
  })),

  compact: (chunks: Uint8Array[]) => withDocument(chunks, document => Automerge.save(document)),

  read: (chunk: Uint8Array) => readDocument(chunk),

  adds: (stored: Uint8Array[], incoming: Uint8Array[]) => withDocument(stored, document => {
    incoming.forEach(verifyChunks)
    const before = Automerge.getHeads(document)
    const lacking = new Set(missingFrom(document))
    const merged = Automerge.loadIncremental(document, concat(incoming))
    if (missingFrom(merged).some(hash => !lacking.has(hash))) throw incomplete()
    return String(Automerge.getHeads(merged)) !== String(before)
  }),

  salvage
}

/**
 * All that can be had of chunks of which some are damaged or missing: what loads, and how many changes hang in the air.
 */
function salvage (chunks: Uint8Array[]): { chunk: Uint8Array | null, lost: number } {
  let document = Automerge.init<unknown>()
  const changes = new Map<string, Uint8Array>()
  for (const chunk of chunks) {
    try {
      proveSound(chunk)
      document = Automerge.loadIncremental(document, chunk)
      if (splitChunks(chunk)[0]?.type !== CHUNK_TYPES.document) changes.set(Automerge.decodeChange(chunk).hash, chunk)
    } catch {
      // damaged: not to be had
    }
  }
  const applied = Automerge.getAllChanges(document)
  for (const change of applied) changes.delete(Automerge.decodeChange(change).hash)
  Automerge.free(document)
  if (applied.length === 0) return { chunk: null, lost: changes.size }
  const [whole] = Automerge.applyChanges(Automerge.init<unknown>(), applied)
  try {
    return { chunk: Automerge.save(whole), lost: changes.size }
  } finally {
    Automerge.free(whole)
  }
}

/**
 * Looks at the checksum, which adding a chunk to a document does not. What the relay takes from nobody may be stored.
 */
function proveSound (chunk: Uint8Array): void {
  try {
    verifyChunks(chunk)
  } catch {
    Automerge.free(Automerge.load(chunk))
  }
}

export type Job =
  { [Name in keyof typeof jobs]: { name: Name, args: Parameters<typeof jobs[Name]> } }[keyof typeof jobs]

/** What became of a job: its failures are told apart from those of the thread, which are no document's. */
export type Outcome = { value: unknown } | { problem: string }

export default function run (job: Job): Outcome {
  try {
    return { value: (jobs[job.name] as (...args: unknown[]) => unknown)(...job.args) }
  } catch (error) {
    return { problem: messageOf(error) }
  }
}

import { readChange, type Change } from '../../automerge/format/change.ts'
import { CHUNK_TYPES, isOneDocument, splitChunks } from '../../automerge/format/chunk.ts'
import { documentHeads } from '../../automerge/format/document-heads.ts'
import { flawOf } from '../../automerge/format/find-chunks.ts'
import { readDocument, type StoredDocument } from '../../automerge/checks/document.ts'
import type { AutomergePool } from '../../automerge/workers/pool.ts'
import { readOperations } from '../../automerge/format/operations.ts'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { DocumentContext } from '../context.ts'
import { History } from './history.ts'

/** What is read on this thread; it is no more than it looks like when it is inflated. Larger: on another. */
const READ_HERE = { bytes: 256 * 1024, maxBytes: 8 * 2 ** 20, maxOps: 2 ** 18 }

/**
 * Reads a document chunk here; undefined when it is too large for that, or not valid, which whoever reads it then will
 * say.
 */
export function readSmall (chunk: Uint8Array): StoredDocument | undefined {
  if (chunk.length > READ_HERE.bytes) return undefined
  try {
    return readDocument(chunk, READ_HERE)
  } catch (error) {
    if (codeOf(error) === 'RELAY_DOCUMENT_INVALID') return undefined
    throw error
  }
}

type Parts = Pick<DocumentContext, 'documents' | 'automerge' | 'log' | 'readDocument'>

/**
 * The history of what is stored of a document, read as cheaply as can be: from its chunks, from one that Automerge
 * makes of them, or its heads only: of what the relay would take from no peer, and of what is incomplete.
 * @throws RelayError RELAY_STORAGE_FAILED
 */
export async function openHistory (id: DocumentId, parts: Parts): Promise<History> {
  const { documents: { damage } } = parts
  const history = await readSound(id, parts)
  if (history !== undefined) {
    damage.found(id, undefined)
    return history
  }
  const known = damage.of(id)
  damage.suspect(id)
  await parts.documents.chunks(id)
  return (damage.of(id) === known ? undefined : await readSound(id, parts)) ?? await readHeads(id, parts)
}

/** Undefined when not all that is stored of it can be read and applied. */
async function readSound (id: DocumentId, { documents, readDocument }: Parts): Promise<History | undefined> {
  try {
    const chunks = await documents.chunks(id)
    if (chunks.length === 0 && documents.damage.of(id) !== undefined) return undefined
    return await readStored(chunks, readDocument) ?? await readStored([await documents.compact(id)], readDocument)
  } catch (error) {
    if (!['RELAY_DOCUMENT_INVALID', 'RELAY_SYNC_INVALID'].includes(codeOf(error) ?? '')) throw error
    return undefined
  }
}

/** Asks Automerge, to which all sync of such a document is left: it asks peers for what is missing. */
async function readHeads (id: DocumentId, { documents, automerge, log }: Parts): Promise<History> {
  const chunks = await documents.chunks(id)
  const size = chunks.reduce((sum, { length }) => sum + length, 0)
  try {
    const { heads, missing } = await automerge.heads(chunks)
    documents.damage.found(id, missing === 0 ? undefined : `${missing} changes are missing that others depend on`)
    if (documents.damage.of(id) === undefined) {
      const text = 'a stored document holds what the relay accepts from no peer; all its sync is left to Automerge'
      log.warn({ documentId: id }, text)
    }
    return new History({ heads: heads.sort() }, size)
  } catch (error) {
    if (codeOf(error) !== 'RELAY_DOCUMENT_INVALID') throw error
    documents.damage.found(id, messageOf(error))
    return new History({ heads: [] }, size)
  }
}

/**
 * What is stored of a document as one document chunk; null when there is none.
 * @throws RelayError RELAY_DOCUMENT_DELETED, RELAY_DOCUMENT_DAMAGED or RELAY_STORAGE_FAILED
 */
export async function readWhole (
  id: DocumentId, { documents, automerge }: Pick<Parts, 'documents' | 'automerge'>
): Promise<Uint8Array | null> {
  const chunks = await documents.chunks(id)
  if (chunks.length === 0 && documents.damage.of(id) === undefined) return null
  if (chunks.length === 1 && isOneDocument(chunks[0]!) && flawOf(chunks[0]!, true) === undefined) return chunks[0]!
  try {
    return await joinWhole(chunks, automerge)
  } catch (cause) {
    if (codeOf(cause) !== 'RELAY_DOCUMENT_INVALID') throw cause
    documents.damage.suspect(id)
    return await joinWhole(await documents.chunks(id), automerge).catch((cause: unknown) => {
      throw damagedDocument(id, cause)
    })
  }
}

/**
 * One chunk, without what waits for changes that are missing.
 * @throws RelayError RELAY_DOCUMENT_INVALID when Automerge cannot load it, or nothing of it
 */
async function joinWhole (chunks: Uint8Array[], automerge: AutomergePool): Promise<Uint8Array> {
  const [document] = splitChunks(await automerge.compact(chunks))
  if (documentHeads(document!.bytes).length === 0) {
    throw new RelayError('RELAY_DOCUMENT_INVALID', 'nothing of it can be read')
  }
  return document!.bytes
}

export const damagedDocument = (id: DocumentId, cause?: unknown): RelayError =>
  new RelayError('RELAY_DOCUMENT_DAMAGED', `What is stored of the document cannot be read: ${id}`, { cause })

/**
 * What is stored of a document, as its history: one document chunk at most and the changes after it, in any order, some
 * perhaps twice. Undefined when only Automerge can tell: there are several document chunks, or changes whose
 * dependencies lie inside one.
 * @param readDocument reads a document chunk, here or on another thread
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export async function readStored (
  files: Uint8Array[], readDocument: (chunk: Uint8Array) => Promise<StoredDocument>
): Promise<History | undefined> {
  const chunks = files.flatMap(splitChunks)
  const documents = chunks.filter(({ type }) => type === CHUNK_TYPES.document)
  if (documents.length > 1) return undefined
  const [document] = documents
  const history = new History(
    document === undefined ? undefined : await readDocument(document.bytes), document?.bytes.length
  )
  const changes = chunks.filter(({ type }) => type !== CHUNK_TYPES.document).map(({ bytes }) => readChange(bytes))
  return addAll(history, changes) ? history : undefined
}

/** Adds changes in an order that fits; false when some do not. */
function addAll (history: History, changes: Change[]): boolean {
  let left = changes.sort((a, b) => a.startOp - b.startOp || a.seq - b.seq)
  while (left.length > 0) {
    const rest: Change[] = []
    for (const change of left) {
      if (history.includes(change)) continue
      if (history.place(change) === 'new') history.add(change, readOperations(change), change.bytes)
      else rest.push(change)
    }
    if (rest.length === left.length) return false
    left = rest
  }
  return true
}

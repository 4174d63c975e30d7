import { readChange, type Change } from '../../automerge/format/change.ts'
import { CHUNK_TYPES, isOneDocument, splitChunks } from '../../automerge/format/chunk.ts'
import { readDocument, type StoredDocument } from '../../automerge/checks/document.ts'
import { readOperations } from '../../automerge/format/operations.ts'
import { RelayError, codeOf } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { DocumentContext } from '../context.ts'
import { History } from './history.ts'

/** What is read on this thread; it is no more than it looks like when it is inflated. Larger: on another. */
const SMALL = { bytes: 256 * 1024, maxBytes: 8 * 2 ** 20, maxOps: 2 ** 18 }

/** Reads a document chunk here; undefined when it is too large for that, or not valid, which whoever reads it then will say. */
export function readSmall (chunk: Uint8Array): StoredDocument | undefined {
  if (chunk.length > SMALL.bytes) return undefined
  try {
    return readDocument(chunk, SMALL)
  } catch (error) {
    if (codeOf(error) === 'RELAY_DOCUMENT_INVALID') return undefined
    throw error
  }
}

/**
 * The history of what is stored of a document, read as cheaply as can be: from its chunks, from one that Automerge makes
 * of them, or, of what the relay would take from no peer, its heads only.
 * @throws RelayError RELAY_STORAGE_FAILED
 */
export async function openHistory (id: DocumentId, context: Pick<DocumentContext, 'documents' | 'automerge' | 'log' | 'readDocument'>): Promise<History> {
  const { documents, automerge, log, readDocument } = context
  const chunks = await documents.chunks(id)
  try {
    const history = await readStored(chunks, readDocument) ?? await readStored([await documents.compact(id)], readDocument)
    if (history !== undefined) return history
  } catch (error) {
    if (!(error instanceof RelayError) || error.code !== 'RELAY_DOCUMENT_INVALID') throw error
    log.warn({ documentId: id, err: error }, 'a stored document holds what the relay takes from no peer; all its sync is left to Automerge')
  }
  const { heads } = await automerge.inspect(chunks).catch((cause: unknown) => {
    throw new RelayError('RELAY_STORAGE_FAILED', 'a stored document cannot be read', { cause })
  })
  return new History({ heads: heads.sort() }, chunks.reduce((sum, { length }) => sum + length, 0))
}

/** What is stored of a document as one document chunk; null when there is none. @throws RelayError RELAY_DOCUMENT_DELETED or RELAY_STORAGE_FAILED */
export async function readWhole (id: DocumentId, { documents, automerge }: Pick<DocumentContext, 'documents' | 'automerge'>): Promise<Uint8Array | null> {
  const chunks = await documents.chunks(id)
  if (chunks.length === 0) return null
  return chunks.length === 1 && isOneDocument(chunks[0]!) ? chunks[0]! : await automerge.compact(chunks)
}

/**
 * What is stored of a document, as its history: one document chunk at most and the changes after it, in any order, some
 * perhaps twice. Undefined when only Automerge can tell: there are several document chunks, or changes whose
 * dependencies lie inside one.
 * @param readDocument reads a document chunk, here or on another thread
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export async function readStored (files: Uint8Array[], readDocument: (chunk: Uint8Array) => Promise<StoredDocument>): Promise<History | undefined> {
  const chunks = files.flatMap(splitChunks)
  const documents = chunks.filter(({ type }) => type === CHUNK_TYPES.document)
  if (documents.length > 1) return undefined
  const [document] = documents
  const history = new History(document === undefined ? undefined : await readDocument(document.bytes), document?.bytes.length)
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

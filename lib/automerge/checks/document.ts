import { inflateRawSync } from 'node:zlib'
import { RelayError } from '../../errors.ts'
import { CHUNK_TYPES, checkedHash, startOfContents } from '../format/chunk.ts'
import {
  COLUMNS, NULL, countRows, readDeltas, readFlags, readTexts, readUints, type ColumnOptions
} from '../format/columns.ts'
import { collectReferences, type DocumentRows } from './collect-references.ts'
import type { Hash } from '../format/hash.ts'
import { ByteReader } from '../format/leb128.ts'
import { ACTIONS } from '../format/operations.ts'
import type { ReferenceData } from './references.ts'
import { sumCounted } from '../format/values.ts'

/** What a document's chunk says of it. Plain data, which can be sent to another thread of this process. */
export interface StoredDocument {
  /** Sorted, as they are there. */
  heads: Hash[]
  /** The last operation of each head. */
  headOps: number[]
  /** Each actor's last change; hexadecimal. */
  seqs: Map<string, number>
  /** The document's last operation. */
  maxOp: number
  changeCount: number
  opCount: number
  /**
   * The operations that Automerge makes room for when it loads the document: of each change, those counted from the
   * last that it depends on.
   */
  room: number
  /** For `new References(...)`. */
  references: ReferenceData
}

export interface DocumentLimits {
  /** Bytes that its columns may inflate to, together. */
  maxBytes?: number
  maxOps?: number
}

/** Columns of changes ("Change metadata columns"). */
const CHANGE_COLUMNS = { actor: 0x01, seq: 0x03, maxOp: 0x13, depsGroup: 0x40, depsIndex: 0x43 }
const DEFLATE = 0x08
const MAX_BYTES = 2 ** 29
const MAX_OPS = 2 ** 24
const TYPE_AT = 8
const NOTHING = new Uint8Array(0)

const invalid = (problem: string): RelayError =>
  new RelayError('RELAY_DOCUMENT_INVALID', `not a valid document: ${problem}`)
const column = (what: string): ColumnOptions => ({ strict: false, what, invalid })

type Columns = (specification: number) => ByteReader | undefined

/**
 * Reads a document's chunk (Automerge's binary format, "Document chunk") without loading it, and checks the checksum:
 * not that the heads are those of its changes, which takes their hashes, nor values, nor what overwrites what.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function readDocument (
  chunk: Uint8Array, { maxBytes = MAX_BYTES, maxOps = MAX_OPS }: DocumentLimits = {}
): StoredDocument {
  const reader = new ByteReader(chunk, invalid, startOfContents(chunk, invalid))
  if (chunk[TYPE_AT] !== CHUNK_TYPES.document) throw invalid(`a chunk of type ${chunk[TYPE_AT]}`)
  checkedHash(chunk, chunk, invalid)
  const actors: string[] = []
  for (let n = reader.count('actors', 1); n > 0; n--) actors.push(reader.actor('an actor'))
  const heads = reader.hashes('heads')
  const lengths = [readLengths(reader), readLengths(reader)]
  const budget = { left: maxBytes }
  const [changeColumns, operationColumns] =
    lengths.map(lengths => locate(chunk, reader, lengths, budget)) as [Columns, Columns]
  const changes = readChanges(changeColumns, actors.length, maxOps)
  const headOps = readHeadOps(reader, heads.length, changes)
  const opCount = countRows(operationColumns(COLUMNS.action) ?? new ByteReader(NOTHING, invalid), maxOps, {
    what: 'action', invalid
  })
  const rows = readRows(operationColumns, opCount)
  const counted = sumCounted(
    rows.valueMeta, operationColumns(COLUMNS.value), row => rows.action[row] === ACTIONS.increment
  )
  const references = collectReferences(actors, rows, counted, invalid)
  const seqs = new Map(changes.seqs.map((seq, actor) => [actors[actor]!, seq] as const).filter(([, seq]) => seq > 0))
  return {
    heads,
    headOps,
    seqs,
    maxOp: changes.maxOp,
    changeCount: changes.maxOps.length,
    opCount,
    room: changes.room,
    references
  }
}

/** The specifications of columns and how many bytes each takes. */
function readLengths (reader: ByteReader): { specification: number, length: number }[] {
  const lengths = []
  for (let n = reader.count('columns', 2); n > 0; n--) {
    lengths.push({ specification: reader.uint('a column'), length: reader.uint('a column') })
  }
  return lengths
}

/** Finds the columns that follow, and how to read one; those that are not asked for are not inflated. */
function locate (
  chunk: Uint8Array, reader: ByteReader, lengths: { specification: number, length: number }[], budget: { left: number }
): Columns {
  const columns = new Map<number, { at: number, end: number, isDeflated: boolean }>()
  for (const { specification, length } of lengths) {
    const { at } = reader
    reader.skip(length, 'columns')
    columns.set(specification & ~DEFLATE, { at, end: reader.at, isDeflated: (specification & DEFLATE) !== 0 })
  }
  return specification => {
    const column = columns.get(specification)
    if (column === undefined || column.at === column.end) return undefined
    if (!column.isDeflated) return new ByteReader(chunk, invalid, column.at, column.end)
    const inflated = inflate(chunk.subarray(column.at, column.end), budget.left)
    budget.left -= inflated.length
    return new ByteReader(inflated, invalid)
  }
}

function inflate (bytes: Uint8Array, maxOutputLength: number): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: Math.max(maxOutputLength, 1) })
  } catch (cause) {
    throw new RelayError('RELAY_DOCUMENT_INVALID', 'not a valid document: a column cannot be inflated', { cause })
  }
}

interface Changes {
  /** Each actor's last change, by its index. */
  seqs: number[]
  /** The last operation of each change. */
  maxOps: Int32Array
  maxOp: number
  /** Whether no other change depends on it. */
  isHead: Uint8Array
  room: number
}

function readChanges (columns: Columns, actorCount: number, max: number): Changes {
  const count = countRows(columns(CHANGE_COLUMNS.actor) ?? new ByteReader(NOTHING, invalid), max, {
    what: 'author', invalid
  })
  const actors = readUints(columns(CHANGE_COLUMNS.actor), count, column('authors'))
  const seqOf = readDeltas(columns(CHANGE_COLUMNS.seq), count, column('seq'))
  const maxOps = readDeltas(columns(CHANGE_COLUMNS.maxOp), count, column('last operations'))
  const depCounts = readUints(columns(CHANGE_COLUMNS.depsGroup), count, column('dependencies'))
  const deps = readDeltas(
    columns(CHANGE_COLUMNS.depsIndex),
    depCounts.reduce((sum, count) => boundedSum(sum, count, max), 0),
    column('dependencies')
  )
  const seqs = new Array<number>(actorCount).fill(0)
  let maxOp = 0
  for (let n = 0; n < count; n++) {
    const actor = actors[n]!
    if (actor === NULL || actor >= actorCount) throw invalid('an author that is not there')
    if (seqOf[n] !== seqs[actor]! + 1) throw invalid('changes are out of order')
    if (maxOps[n] === NULL) throw invalid('a change without last operation')
    seqs[actor] = seqOf[n]!
    maxOp = Math.max(maxOp, maxOps[n]!)
  }
  const isHead = new Uint8Array(count).fill(1)
  let room = 0
  for (let n = 0, at = 0; n < count; n++) {
    let last = 0
    for (const end = at + depCounts[n]!; at < end; at++) {
      const dep = deps[at]!
      if (dep < 0 || dep >= n) throw invalid('a dependency that is not there')
      isHead[dep] = 0
      last = Math.max(last, maxOps[dep]!)
    }
    room += maxOps[n]! - last
  }
  return { seqs, maxOps, maxOp, isHead, room }
}

function boundedSum (sum: number, count: number, max: number): number {
  if (count === NULL || sum + count > max) throw invalid('too many dependencies')
  return sum + count
}

/**
 * The last operation of each head: after the columns are their places. Old writers left them out; then the last of all
 * heads.
 */
function readHeadOps (reader: ByteReader, count: number, { maxOps, isHead }: Changes): number[] {
  if (reader.left === 0) {
    const last = maxOps.reduce((last, maxOp, n) => isHead[n] === 1 ? Math.max(last, maxOp) : last, 0)
    return new Array<number>(count).fill(last)
  }
  return Array.from({ length: count }, () => {
    const place = reader.uint('heads')
    if (isHead[place] !== 1) throw invalid('a head that is none')
    return maxOps[place]!
  })
}

function readRows (columns: Columns, count: number): DocumentRows {
  return {
    idActor: readUints(columns(COLUMNS.idActor), count, column('ids')),
    idCounter: readDeltas(columns(COLUMNS.idCounter), count, column('ids')),
    objectActor: readUints(columns(COLUMNS.objectActor), count, column('objects')),
    objectCounter: readUints(columns(COLUMNS.objectCounter), count, column('objects')),
    keyActor: readUints(columns(COLUMNS.keyActor), count, column('elements')),
    keyCounter: readDeltas(columns(COLUMNS.keyCounter), count, column('elements')),
    keyText: readTexts(columns(COLUMNS.keyText), count, column('keys')),
    insert: readFlags(columns(COLUMNS.insert), count, column('insert')),
    action: readUints(columns(COLUMNS.action), count, column('actions')),
    valueMeta: readUints(columns(COLUMNS.valueMeta), count, column('values'))
  }
}

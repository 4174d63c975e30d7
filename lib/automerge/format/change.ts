import { Buffer, isUtf8 } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { RelayError, codeOf } from '../../errors.ts'
import { CHUNK_TYPES, checkedHash, startOfContents } from './chunk.ts'
import { COLUMNS, MAX_COUNTER, countRows } from './columns.ts'
import type { Hash } from './hash.ts'
import { ByteReader, uintLength, writeUint } from './leb128.ts'

/** What a change says of itself, before its operations. */
export interface ChangeHeader {
  hash: Hash
  deps: Hash[]
  /** Hexadecimal. */
  actor: string
  /** The change's number among its actor's, from 1. */
  seq: number
  /** The counter of its first operation, from 1. */
  startOp: number
  opCount: number
  /** Seconds, as its author's clock was. */
  time: number
  /** The chunk as it came, a view. */
  bytes: Uint8Array
  /** Length of the chunk when it is not compressed. */
  byteLength: number
}

/** A change with what it takes to read its operations (see operations.ts). */
export interface Change extends ChangeHeader {
  /** The author and then the others that operations refer to, in order. Hexadecimal. */
  actors: string[]
  /** The chunk when it is not compressed. */
  plain: Uint8Array
  columns: ColumnRange[]
}

/** Where a column is in a chunk that is not compressed. */
export interface ColumnRange { specification: number, at: number, end: number }

export interface ChangeLimits {
  /** Bytes a compressed change may inflate to. */
  maxBytes?: number
  /** Operations in a change; a run of equal ones takes some bytes whatever its length. */
  maxOps?: number
}

const MAX_BYTES = 64 * 2 ** 20
const MAX_OPS = 2 ** 20
const TYPE_AT = 8
const { idActor, idCounter, ...columns } = COLUMNS
const KNOWN = new Set<number>(Object.values(columns))

/** Makes the error for what is wrong with a change. */
export const invalidChange = (problem: string): RelayError =>
  new RelayError('RELAY_DOCUMENT_INVALID', `not a valid change: ${problem}`)

/**
 * Reads the header of a change from its chunk (Automerge's binary format, "Change chunk", "Compressed change chunk"),
 * and checks the checksum and that the columns of operations are there. What is in them is not read, save how many
 * operations there are. Refused beyond what Automerge refuses is what it takes but cannot read again once it has saved
 * the document (it writes other actors and columns its own way, and then the hash is another), and seq 0.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function readChange (chunk: Uint8Array, { maxBytes = MAX_BYTES, maxOps = MAX_OPS }: ChangeLimits = {}): Change {
  const start = startOfContents(chunk, invalidChange)
  const type = chunk[TYPE_AT]
  if (type !== CHUNK_TYPES.change && type !== CHUNK_TYPES.compressedChange) {
    throw invalidChange(`a chunk of type ${type}`)
  }
  const plain = type === CHUNK_TYPES.change ? chunk : inflate(chunk, start, maxBytes)
  const hash = checkedHash(chunk, plain, invalidChange)
  const reader = new ByteReader(plain, invalidChange, startOfContents(plain, invalidChange))
  const deps = reader.hashes('dependencies')
  const actor = reader.actor('the actor')
  const seq = reader.uint('seq')
  const startOp = reader.uint('startOp')
  const time = reader.int('time')
  const message = reader.prefixed('the message')
  if (message.length > 0 && !isUtf8(message)) throw invalidChange('the message is not text')
  const actors = readActors(reader, actor)
  const columns = readColumns(reader)
  const action = columns.find(({ specification }) => specification === COLUMNS.action)
  const opCount = action === undefined
    ? 0
    : countRows(
      new ByteReader(plain, invalidChange, action.at, action.end), maxOps, { what: 'action', invalid: invalidChange }
    )
  if (seq === 0) throw invalidChange('seq is 0')
  if (startOp === 0 || startOp + opCount - 1 > MAX_COUNTER) throw invalidChange('startOp is out of range')
  return {
    hash, deps, actor, seq, startOp, opCount, time, bytes: chunk, byteLength: plain.length, actors, plain, columns
  }
}

/** The chunk of the same change that is not compressed, save its checksum, which is the same. */
/** Reads changes that came together: what they inflate to is bounded together. */
export class ChangeReader {
  #inflated = 0

  /** Bytes that they took beyond what came. */
  get inflated (): number { return this.#inflated }

  /** @throws RelayError RELAY_DOCUMENT_INVALID */
  read (chunk: Uint8Array): Change {
    const change = readChange(chunk, { maxBytes: Math.max(MAX_BYTES - this.#inflated, 1) })
    this.#inflated += Math.max(change.byteLength - chunk.length, 0)
    return change
  }
}

function inflate (chunk: Uint8Array, start: number, maxBytes: number): Uint8Array {
  const contents = inflateAll(chunk.subarray(start), maxBytes)
  const plain = Buffer.alloc(TYPE_AT + 1 + uintLength(contents.length) + contents.length)
  plain.set(chunk.subarray(0, TYPE_AT))
  plain[TYPE_AT] = CHUNK_TYPES.change
  plain.set(contents, writeUint(plain, TYPE_AT + 1, contents.length))
  return plain
}

function inflateAll (bytes: Uint8Array, maxBytes: number): Uint8Array {
  let inflated: { buffer: Buffer, engine: { bytesWritten: number } }
  try {
    // with `info`, which its type leaves out, zlib tells how much of the input it took
    inflated = inflateRawSync(bytes, { maxOutputLength: maxBytes, info: true }) as unknown as typeof inflated
  } catch (cause) {
    const tooLarge = codeOf(cause) === 'ERR_BUFFER_TOO_LARGE'
    throw new RelayError(
      'RELAY_DOCUMENT_INVALID',
      `not a valid change: it cannot be inflated${tooLarge ? ` to ${maxBytes} bytes` : ''}`,
      { cause }
    )
  }
  if (inflated.engine.bytesWritten !== bytes.length) throw invalidChange('bytes after the end of what is compressed')
  return inflated.buffer
}

/** The author, and the others that operations refer to: in order, each once, and never the author. */
function readActors (reader: ByteReader, author: string): string[] {
  const actors = [author]
  for (let n = reader.count('other actors', 1); n > 0; n--) {
    const actor = reader.actor('an actor')
    if (actor === author || (actors.length > 1 && actor <= actors.at(-1)!)) {
      throw invalidChange('other actors are out of order')
    }
    actors.push(actor)
  }
  return actors
}

/** Which columns there are, and checks that they fit. */
function readColumns (reader: ByteReader): ColumnRange[] {
  const columns: ColumnRange[] = []
  let last = -1
  let total = 0
  for (let n = reader.count('columns', 2); n > 0; n--) {
    const specification = reader.uint('a column')
    const length = reader.uint('a column')
    if (!KNOWN.has(specification)) throw invalidChange(`column ${specification}`)
    if (specification <= last) throw invalidChange('columns are out of order')
    if (length === 0) throw invalidChange('an empty column')
    columns.push({ specification, at: total, end: total + length })
    last = specification
    total += length
  }
  const { at } = reader
  reader.skip(total, 'columns')
  for (const column of columns) {
    column.at += at
    column.end += at
  }
  return columns
}

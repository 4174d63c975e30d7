import { createHash, hash as hashOf } from 'node:crypto'
import { Buffer, isUtf8 } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { RelayError, codeOf } from '../errors.ts'
import { CHUNK_TYPES } from './chunk.ts'
import { hexAt, type Hash } from './hash.ts'
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

export interface DocumentHeader {
  /** Hexadecimal. */
  actors: string[]
  heads: Hash[]
}

export interface ChangeLimits {
  /** Bytes a compressed change may inflate to. */
  maxBytes?: number
  /** Operations in a change; a run of equal ones takes some bytes whatever its length. */
  maxOps?: number
}

const MAX_BYTES = 64 * 2 ** 20
const MAX_OPS = 4 * 2 ** 20
/** Automerge keeps counters of operations in 32 bits. */
const MAX_COUNTER = 2 ** 32 - 1
const MAGIC = 0x856f4a83
const CHECKSUM_BYTES = 4
const TYPE_AT = 8
/** A column's number: id, 4 bits of type of which one says that the column is compressed. */
const DEFLATED = 8
const ACTION = 0x42
/** Above, Automerge compares columns by their last byte only. */
const MAX_COLUMN = 0xff

const invalid = (problem: string): RelayError => new RelayError('RELAY_DOCUMENT_INVALID', `not a valid change: ${problem}`)
const invalidDocument = (problem: string): RelayError => new RelayError('RELAY_DOCUMENT_INVALID', `not a valid document: ${problem}`)

/**
 * Reads the header of a change from its chunk (Automerge's binary format, "Change chunk", "Compressed change chunk"),
 * and checks the checksum and that the columns of operations are there. What is in them is not read, save how many
 * operations there are.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function readChange (chunk: Uint8Array, { maxBytes = MAX_BYTES, maxOps = MAX_OPS }: ChangeLimits = {}): ChangeHeader {
  const outer = contentsOf(chunk, invalid)
  let reader = outer
  let hash: Hash
  if (chunk[TYPE_AT] === CHUNK_TYPES.change) {
    hash = hashOf('sha256', chunk.subarray(TYPE_AT))
  } else if (chunk[TYPE_AT] === CHUNK_TYPES.compressedChange) {
    const contents = inflate(chunk.subarray(outer.at), maxBytes)
    reader = new ByteReader(contents, invalid)
    const prefix = Buffer.from([CHUNK_TYPES.change, ...new Array(uintLength(contents.length)).fill(0)])
    writeUint(prefix, 1, contents.length)
    hash = createHash('sha256').update(prefix).update(contents).digest('hex')
  } else throw invalid(`a chunk of type ${chunk[TYPE_AT]}`)
  if (!hash.startsWith(hexAt(chunk, TYPE_AT - CHECKSUM_BYTES, CHECKSUM_BYTES))) throw invalid('the checksum is wrong')

  const byteLength = TYPE_AT + 1 + uintLength(reader.left) + reader.left
  const deps = reader.hashes('dependencies')
  const actor = reader.prefixedHex('the actor')
  const seq = reader.uint('seq')
  const startOp = reader.uint('startOp')
  const time = reader.int('time')
  if (!isUtf8(reader.prefixed('the message'))) throw invalid('the message is not text')
  for (let n = reader.count('other actors', 1); n > 0; n--) reader.prefixed('an actor')
  const opCount = countOps(reader, maxOps)
  if (seq === 0) throw invalid('seq is 0')
  if (startOp === 0 || startOp + opCount - 1 > MAX_COUNTER) throw invalid('startOp is out of range')
  return { hash, deps, actor, seq, startOp, opCount, time, bytes: chunk, byteLength }
}

/**
 * Reads who wrote a document and its heads from its chunk ("Document chunk") without loading it, and checks the checksum.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function readDocumentHeader (chunk: Uint8Array): DocumentHeader {
  const reader = contentsOf(chunk, invalidDocument)
  if (chunk[TYPE_AT] !== CHUNK_TYPES.document) throw invalidDocument(`a chunk of type ${chunk[TYPE_AT]}`)
  const hash = hashOf('sha256', chunk.subarray(TYPE_AT))
  if (!hash.startsWith(hexAt(chunk, TYPE_AT - CHECKSUM_BYTES, CHECKSUM_BYTES))) throw invalidDocument('the checksum is wrong')
  const actors: string[] = []
  for (let n = reader.count('actors', 1); n > 0; n--) actors.push(reader.prefixedHex('an actor'))
  return { actors, heads: reader.hashes('heads') }
}

/** A reader at the contents of a chunk that fills the input. */
function contentsOf (chunk: Uint8Array, invalid: (problem: string) => Error): ByteReader {
  const reader = new ByteReader(chunk, invalid, TYPE_AT + 1)
  if (chunk.length <= TYPE_AT) throw invalid('cut short')
  if ((chunk[0]! << 24 | chunk[1]! << 16 | chunk[2]! << 8 | chunk[3]!) >>> 0 !== MAGIC) throw invalid('no chunk starts here')
  const length = reader.uint('its length')
  if (length !== reader.left) throw invalid(length > reader.left ? 'cut short' : 'bytes after the end')
  return reader
}

function inflate (bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    return inflateRawSync(bytes, { maxOutputLength: maxBytes })
  } catch (cause) {
    const problem = codeOf(cause) === 'ERR_BUFFER_TOO_LARGE' ? `it inflates to more than ${maxBytes} bytes` : 'it cannot be inflated'
    throw new RelayError('RELAY_DOCUMENT_INVALID', `not a valid change: ${problem}`, { cause })
  }
}

/** Reads which columns there are, checks that they fit, and counts the entries of the column that every operation is in. */
function countOps (reader: ByteReader, maxOps: number): number {
  let last = -1
  let at = 0
  let action: { at: number, length: number } | undefined
  for (let n = reader.count('columns', 2); n > 0; n--) {
    const column = reader.uint('a column')
    const length = reader.uint('a column')
    if (column > MAX_COLUMN) throw invalid('an unknown column')
    if ((column & DEFLATED) !== 0) throw invalid('a column is compressed')
    if (column <= last) throw invalid('columns are out of order')
    if (column === ACTION) action = { at, length }
    last = column
    at += length
  }
  const columns = reader.take(at, 'columns')
  return action === undefined ? 0 : countRuns(new ByteReader(columns.subarray(action.at, action.at + action.length), invalid), maxOps)
}

/** The number of entries in a run-length encoded column of numbers, none of them missing. */
function countRuns (reader: ByteReader, max: number): number {
  let count = 0
  while (reader.left > 0) {
    const run = reader.int('a run of operations')
    if (run === 0) throw invalid('an operation without action')
    count += Math.abs(run)
    if (count > max) throw invalid(`more than ${max} operations`)
    for (let n = run > 0 ? 1 : -run; n > 0; n--) reader.uint('an action')
  }
  return count
}

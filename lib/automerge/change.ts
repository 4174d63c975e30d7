import { hash as hashOf } from 'node:crypto'
import { Buffer, isUtf8 } from 'node:buffer'
import { inflateRawSync } from 'node:zlib'
import { RelayError, codeOf } from '../errors.ts'
import { CHUNK_TYPES } from './chunk.ts'
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
const CHECKSUM_AT = 4
const TYPE_AT = 8
/** The columns of operations: of object, key, insert, action, value, predecessors, expand and mark name. */
const COLUMNS = new Set([0x01, 0x02, 0x11, 0x13, 0x15, 0x34, 0x42, 0x56, 0x57, 0x70, 0x71, 0x73, 0x94, 0xa5])
const ACTION = 0x42

type Invalid = (problem: string) => RelayError
const invalid: Invalid = problem => new RelayError('RELAY_DOCUMENT_INVALID', `not a valid change: ${problem}`)
const invalidDocument: Invalid = problem => new RelayError('RELAY_DOCUMENT_INVALID', `not a valid document: ${problem}`)

/**
 * Reads the header of a change from its chunk (Automerge's binary format, "Change chunk", "Compressed change chunk"),
 * and checks the checksum and that the columns of operations are there. What is in them is not read, save how many
 * operations there are. Refused beyond what Automerge refuses is what it takes but cannot read again once it has saved
 * the document (it writes other actors and columns its own way, and then the hash is another), and seq 0.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function readChange (chunk: Uint8Array, { maxBytes = MAX_BYTES, maxOps = MAX_OPS }: ChangeLimits = {}): ChangeHeader {
  const start = startOfContents(chunk, invalid)
  const type = chunk[TYPE_AT]
  if (type !== CHUNK_TYPES.change && type !== CHUNK_TYPES.compressedChange) throw invalid(`a chunk of type ${type}`)
  const plain = type === CHUNK_TYPES.change ? chunk : inflate(chunk, start, maxBytes)
  const hash = checkedHash(chunk, plain, invalid)
  const reader = new ByteReader(plain, invalid, startOfContents(plain, invalid))
  const deps = reader.hashes('dependencies')
  const actor = reader.actor('the actor')
  const seq = reader.uint('seq')
  const startOp = reader.uint('startOp')
  const time = reader.int('time')
  const message = reader.prefixed('the message')
  if (message.length > 0 && !isUtf8(message)) throw invalid('the message is not text')
  checkOtherActors(reader, actor)
  const opCount = countOps(plain, reader, maxOps)
  if (seq === 0) throw invalid('seq is 0')
  if (startOp === 0 || startOp + opCount - 1 > MAX_COUNTER) throw invalid('startOp is out of range')
  return { hash, deps, actor, seq, startOp, opCount, time, bytes: chunk, byteLength: plain.length }
}

/**
 * Reads who wrote a document and its heads from its chunk ("Document chunk") without loading it, and checks the checksum.
 * @throws RelayError RELAY_DOCUMENT_INVALID
 */
export function readDocumentHeader (chunk: Uint8Array): DocumentHeader {
  const reader = new ByteReader(chunk, invalidDocument, startOfContents(chunk, invalidDocument))
  if (chunk[TYPE_AT] !== CHUNK_TYPES.document) throw invalidDocument(`a chunk of type ${chunk[TYPE_AT]}`)
  checkedHash(chunk, chunk, invalidDocument)
  const actors: string[] = []
  for (let n = reader.count('actors', 1); n > 0; n--) actors.push(reader.actor('an actor'))
  return { actors, heads: reader.hashes('heads') }
}

/** Where the contents of a chunk start, once it is sure that it is one chunk and nothing else. */
function startOfContents (chunk: Uint8Array, invalid: Invalid): number {
  if (chunk.length <= TYPE_AT) throw invalid('cut short')
  if (uint32(chunk, 0) !== MAGIC) throw invalid('no chunk starts here')
  const reader = new ByteReader(chunk, invalid, TYPE_AT + 1)
  const length = reader.uint('its length')
  if (length !== reader.left) throw invalid(length > reader.left ? 'cut short' : 'bytes after the end')
  return reader.at
}

/** The hash of type, length and contents, which follow one another in a chunk; its start must be the checksum. */
function checkedHash (chunk: Uint8Array, plain: Uint8Array, invalid: Invalid): Hash {
  const hash = hashOf('sha256', plain.subarray(TYPE_AT))
  if (Number.parseInt(hash.slice(0, 8), 16) !== uint32(chunk, CHECKSUM_AT)) throw invalid('the checksum is wrong')
  return hash
}

/** The chunk of the same change that is not compressed, save its checksum, which is the same. */
function inflate (chunk: Uint8Array, start: number, maxBytes: number): Uint8Array {
  const contents = inflateAll(chunk.subarray(start), maxBytes)
  const plain = Buffer.alloc(TYPE_AT + 1 + uintLength(contents.length) + contents.length)
  plain.writeUInt32BE(MAGIC)
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
    throw new RelayError('RELAY_DOCUMENT_INVALID', `not a valid change: it cannot be inflated${tooLarge ? ` to ${maxBytes} bytes` : ''}`, { cause })
  }
  if (inflated.engine.bytesWritten !== bytes.length) throw invalid('bytes after the end of what is compressed')
  return inflated.buffer
}

/** The actors that operations refer to: in order, each once, and never the author. */
function checkOtherActors (reader: ByteReader, author: string): void {
  let last: string | undefined
  for (let n = reader.count('other actors', 1); n > 0; n--) {
    const actor = reader.actor('an actor')
    if (actor === author || (last !== undefined && actor <= last)) throw invalid('other actors are out of order')
    last = actor
  }
}

/** Reads which columns there are, checks that they fit, and counts the entries of the one that every operation is in. */
function countOps (plain: Uint8Array, reader: ByteReader, maxOps: number): number {
  let last = -1
  let total = 0
  let action: { at: number, end: number } | undefined
  for (let n = reader.count('columns', 2); n > 0; n--) {
    const column = reader.uint('a column')
    const length = reader.uint('a column')
    if (!COLUMNS.has(column)) throw invalid(`column ${column}`)
    if (column <= last) throw invalid('columns are out of order')
    if (length === 0) throw invalid('an empty column')
    if (column === ACTION) action = { at: total, end: total + length }
    last = column
    total += length
  }
  const { at } = reader
  reader.skip(total, 'columns')
  return action === undefined ? 0 : countRuns(new ByteReader(plain, invalid, at + action.at, at + action.end), maxOps)
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

/** Big-endian. */
const uint32 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0

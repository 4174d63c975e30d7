import { isUtf8 } from 'node:buffer'
import { randomBytes } from 'node:crypto'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import type { ByteReader } from './leb128.ts'

/** The specifications of columns of operations (Automerge's binary format, "Operation columns"): id << 4 | type. */
export const COLUMNS = {
  objectActor: 0x01,
  objectCounter: 0x02,
  keyActor: 0x11,
  keyCounter: 0x13,
  keyText: 0x15,
  idActor: 0x21,
  idCounter: 0x23,
  insert: 0x34,
  action: 0x42,
  valueMeta: 0x56,
  value: 0x57,
  predGroup: 0x70,
  predActor: 0x71,
  predCounter: 0x73,
  expand: 0x94,
  markName: 0xa5
} as const

/** Operations counted in one document: Automerge keeps counters in 32 bits, and those here fit a typed array. */
export const MAX_COUNTER = 2 ** 31 - 1
/** In a column of numbers, where there is none. */
export const NULL = -(2 ** 31)

/** How to read a column: `strict` refuses what Automerge would write otherwise, since it hashes what it writes. */
export interface ColumnOptions { strict: boolean, what: string, invalid: (problem: string) => Error }

const NOTHING = 0
const NULLS = 1
const RUN = 2
const LITERAL = 3

const SHARED_ROWS = 16 // rows up to which columns without values are shared
const SHARED_NULLS = Array.from({ length: SHARED_ROWS }, (_, rows) => new Int32Array(rows).fill(NULL))

/** A column of nothing; not to be written to. */
const nulls = (rows: number): Int32Array => SHARED_NULLS[rows] ?? new Int32Array(rows).fill(NULL)

/** Reads a run-length encoded column, a row each; `next` reads one value, which is equal when its number is. */
function readRuns (reader: ByteReader | undefined, rows: number, next: (
  reader: ByteReader, options: ColumnOptions
) => number, options: ColumnOptions): Int32Array {
  if (reader === undefined) return nulls(rows)
  const { strict, what, invalid } = options
  const out = new Int32Array(rows)
  let row = 0
  let before = NOTHING
  let last = NULL
  while (reader.left > 0) {
    const length = reader.int(what)
    const count = length === 0 ? reader.uint(what) : Math.abs(length)
    if (count > rows - row) throw invalid(`more rows of ${what} than operations`)
    if (length === 0) {
      if (strict && (before === NULLS || count === 0 || count === rows)) {
        throw invalid(`${what} is not as Automerge writes it`)
      }
      out.fill(NULL, row, row + count)
      before = NULLS
      last = NULL
      row += count
    } else if (length > 0) {
      const value = next(reader, options)
      if (strict && (count === 1 || value === last)) throw invalid(`${what} is not as Automerge writes it`)
      out.fill(value, row, row + count)
      before = RUN
      last = value
      row += count
    } else {
      if (strict && before === LITERAL) throw invalid(`${what} is not as Automerge writes it`)
      for (const end = row + count; row < end; row++) {
        const value = next(reader, options)
        if (strict && value === last) throw invalid(`${what} is not as Automerge writes it`)
        out[row] = value
        last = value
      }
      before = LITERAL
    }
  }
  if (row !== rows) throw invalid(`fewer rows of ${what} than operations`)
  return out
}

function nextUint (reader: ByteReader, { what, invalid }: ColumnOptions): number {
  const value = reader.uint(what)
  if (value > MAX_COUNTER) throw invalid(`${what} is too large`)
  return value
}

function nextDelta (reader: ByteReader, { what, invalid }: ColumnOptions): number {
  const value = reader.int(what)
  if (value > MAX_COUNTER || value < -MAX_COUNTER) throw invalid(`${what} is too large`)
  return value
}

/**
 * Unsigned numbers of at most 31 bits, NULL where there is none.
 * @param reader undefined when there is no such column
 */
export function readUints (reader: ByteReader | undefined, rows: number, options: ColumnOptions): Int32Array {
  return readRuns(reader, rows, nextUint, options)
}

/** Numbers of at most 31 bits, none negative, stored as differences. */
export function readDeltas (reader: ByteReader | undefined, rows: number, options: ColumnOptions): Int32Array {
  const out = readRuns(reader, rows, nextDelta, options)
  let value = 0
  for (let row = 0; row < rows; row++) {
    if (out[row] === NULL) continue
    value += out[row]!
    if (value < 0 || value > MAX_COUNTER) throw options.invalid(`${options.what} is out of range`)
    out[row] = value
  }
  return out
}

/** Texts, as the numbers that `textHash` makes of them. */
export function readTexts (reader: ByteReader | undefined, rows: number, options: ColumnOptions): Int32Array {
  return readRuns(reader, rows, nextText, options)
}

function nextText (reader: ByteReader, { what, invalid }: ColumnOptions): number {
  const text = reader.prefixed(what)
  if (!isText(text)) throw invalid(`${what} is not text`)
  return textHash(text)
}

/** Booleans, stored as the lengths of runs that begin with false. */
export function readFlags (
  reader: ByteReader | undefined, rows: number, { strict, what, invalid }: ColumnOptions
): Uint8Array {
  const out = new Uint8Array(rows)
  if (reader === undefined) return out
  let row = 0
  for (let value = 0, first = true; reader.left > 0; value ^= 1, first = false) {
    const count = reader.uint(what)
    if (count > rows - row) throw invalid(`more rows of ${what} than operations`)
    if (strict && count === 0 && (!first || row === rows)) throw invalid(`${what} is not as Automerge writes it`)
    if (value === 1) out.fill(1, row, row + count)
    row += count
  }
  if (row !== rows) throw invalid(`fewer rows of ${what} than operations`)
  return out
}

/** The number of rows in a run-length encoded column of unsigned numbers, none of them missing. */
export function countRows (
  reader: ByteReader, max: number, { what, invalid }: Pick<ColumnOptions, 'what' | 'invalid'>
): number {
  let count = 0
  while (reader.left > 0) {
    const run = reader.int('a run of operations')
    if (run === 0) throw invalid(`an operation without ${what}`)
    count += Math.abs(run)
    if (count > max) throw invalid(`more than ${max} operations`)
    for (let n = run > 0 ? 1 : -run; n > 0; n--) reader.uint(`an ${what}`)
  }
  return count
}

const MAX_CHECKED_HERE = 24 // bytes: calling Node costs more

/** Whether bytes are UTF-8; for the short texts most are, without a call out of JavaScript. */
export function isText (bytes: Uint8Array, at = 0, end = bytes.length): boolean {
  if (end - at > MAX_CHECKED_HERE) return isUtf8(bytes.subarray(at, end))
  for (let n = at; n < end; n++) if (bytes[n]! >= 0x80) return isUtf8(bytes.subarray(at, end))
  return true
}

// Keys are compared by hashes nobody else can foresee: whoever wants two to be equal has to try, and each try costs a
// connection.
const [SEED, MULTIPLIER] = seedOfProcess()

/** The same in the threads that are started from this one: they read documents for it. */
function seedOfProcess (): readonly [number, number] {
  const key = 'fastify-automerge-relay seed'
  const known = getEnvironmentData(key) as readonly [number, number] | undefined
  if (known !== undefined) return known
  const seed = [...new Int32Array(new Uint8Array(randomBytes(8)).buffer)] as [number, number]
  setEnvironmentData(key, seed)
  return seed
}

/** A number for a text, from 0 to 2 ** 31 - 1, the same while the process runs. */
export function textHash (bytes: Uint8Array): number {
  let hash = SEED ^ bytes.length
  for (let n = 0; n < bytes.length; n++) {
    hash = Math.imul(hash ^ bytes[n]!, MULTIPLIER | 1)
    hash ^= hash >>> 15
  }
  return mixed(hash)
}

/** The same for a pair of numbers. */
export const pairHash = (a: number, b: number): number =>
  mixed(Math.imul(Math.imul(SEED ^ a, 0x9e3779b1) ^ b, MULTIPLIER | 1))

function mixed (hash: number): number {
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b)
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35)
  return (hash ^ hash >>> 16) & MAX_COUNTER
}

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { parentPort } from 'node:worker_threads'
import { pipeline } from 'node:stream/promises'
import { codeOf, messageOf } from '../../errors.ts'
import type { JobAnswer } from '../../threads/job-thread.ts'
import { parseEvent } from '../event.ts'
import { COLUMNS, FORMAT, INDEXES, SCHEMA, type Row } from './schema.ts'
import { Database, type SqlValue, type Statement } from './sqlite.ts'

// What is done with SQLite, on a thread of its own: one job after the other.

/** What a file says of itself. */
export interface FileFacts {
  rows: number
  firstNumber: number
  lastNumber: number
  firstTimeUs: number
  lastTimeUs: number
  /** JSON texts of positions; empty for none */
  from: string
  to: string
  bytes: number
}

/** What of a file is wanted. Empty lists want everything; a collection may end in `.*`. */
export interface PageQuery {
  file: string
  after: number
  /** The last number looked at, which bounds the work */
  until: number
  limit: number
  collections: string[]
  dids: string[]
  kinds: string[]
  visibilities: string[]
}

export interface Identity { rev: string | null, did: string, uri: string, operation: string | null, id: string }

interface Written { database: Database, insert: Statement, place: Statement }

const OPEN = 4 // files kept open for reading
let written: Written | undefined
const readable = new Map<string, Database>()

const SYNCHRONOUS = { fsync: 'FULL', write: 'NORMAL', none: 'OFF' } as const

const value = (database: Database, sql: string): SqlValue | undefined =>
  Object.values(database.prepare(sql).get() ?? {})[0]

function factsOf (database: Database, bytes: number): FileFacts {
  const meta = (key: string): string => String(value(database, `SELECT value FROM meta WHERE key = '${key}'`) ?? '')
  const { rows, first, last, low, high } = database.prepare(
    'SELECT count(*) AS rows, min(id) AS first, max(id) AS last, min(time_us) AS low, max(time_us) AS high FROM records'
  ).get()!
  return {
    rows: Number(rows),
    firstNumber: Number(first),
    lastNumber: Number(last),
    firstTimeUs: Number(low),
    lastTimeUs: Number(high),
    from: meta('first_position'),
    to: meta('last_position'),
    bytes
  }
}

function opened (file: string): Database {
  let database = readable.get(file)
  if (database === undefined) database = new Database(file, { readOnly: true })
  readable.delete(file)
  readable.set(file, database) // the last used is the last
  for (const [name, oldest] of readable) {
    if (readable.size <= OPEN) break
    readable.delete(name)
    oldest.close()
  }
  return database
}

const jobs = {
  /**
   * Opens a file to write to, a new one or what a process left.
   * @param position JSON text, of a new file's beginning
   */
  open (file: string, position: string, durability: keyof typeof SYNCHRONOUS): FileFacts {
    const database = new Database(file)
    try {
      database.exec(
        `PRAGMA journal_mode = WAL; PRAGMA synchronous = ${SYNCHRONOUS[durability]}; BEGIN IMMEDIATE; ${SCHEMA}`
      )
      const begin = database.prepare('INSERT OR IGNORE INTO meta VALUES (?, ?)')
      for (const [key, text] of [
        ['format', String(FORMAT)], ['opened_at', new Date().toISOString()], ['first_position', position],
        ['last_position', position]
      ]) {
        begin.run(key!, text!)
      }
      database.exec('COMMIT')
      written = {
        database,
        insert: database.prepare(`INSERT OR IGNORE INTO records VALUES (${COLUMNS.map(() => '?').join(', ')})`),
        place: database.prepare("UPDATE meta SET value = ? WHERE key = 'last_position'")
      }
      return factsOf(
        database, Number(value(database, 'PRAGMA page_count')) * Number(value(database, 'PRAGMA page_size'))
      )
    } catch (error) {
      database.close()
      throw error
    }
  },

  /** Writes rows, all or none. @returns bytes of the file */
  append (rows: Row[], position: string): number {
    const { database, insert, place } = written!
    database.exec('BEGIN IMMEDIATE')
    try {
      for (const row of rows) insert.run(...row)
      if (position !== '') place.run(position)
      database.exec('COMMIT')
    } catch (error) {
      try { database.exec('ROLLBACK') } catch {} // SQLite has done it by itself
      throw error
    }
    return Number(value(database, 'PRAGMA page_count')) * Number(value(database, 'PRAGMA page_size'))
  },

  close (): void {
    written?.database.close()
    written = undefined
    for (const database of readable.values()) database.close()
    readable.clear()
  },

  /**
   * Copies a file that was written to into one that never changes again, with the indexes that it is searched by.
   * Others may have the first open, a researcher's `sqlite3` too.
   */
  async seal (file: string, copy: string): Promise<FileFacts & { sha256: string }> {
    await rm(copy, { force: true })
    const source = new Database(file)
    try {
      source.prepare('VACUUM INTO ?').run(copy)
    } finally {
      source.close()
    }
    const database = new Database(copy)
    let facts: FileFacts
    try {
      database.exec(`PRAGMA synchronous = FULL; BEGIN; ${INDEXES}; INSERT OR REPLACE INTO meta VALUES ('sealed_at', ` +
        `'${new Date().toISOString()}'); COMMIT`)
      facts = factsOf(database, 0)
    } finally {
      database.close()
    }
    return { ...facts, bytes: (await stat(copy)).size, sha256: await jobs.hash(copy) }
  },

  /** Hex of the SHA-256 of a file. */
  async hash (file: string): Promise<string> {
    const hash = createHash('sha256')
    await pipeline(createReadStream(file), hash)
    return hash.digest('hex')
  },

  /** What SQLite itself finds wrong, and what the file says of itself. */
  check (file: string): FileFacts & { problems: string[] } {
    const database = new Database(file, { readOnly: true })
    try {
      const problems = database.prepare('PRAGMA integrity_check').all().map(row => String(Object.values(row)[0]))
        .filter(text => text !== 'ok')
      return { ...factsOf(database, 0), problems }
    } finally {
      database.close()
    }
  },

  /** Rows in the order of their numbers. */
  page ({ file, after, until, limit, collections, dids, kinds, visibilities }: PageQuery): Row[] {
    const conditions = ['id > ?', 'id <= ?']
    const values: SqlValue[] = [after, until]
    const oneOf = (column: string, list: string[]): void => {
      if (list.length === 0) return
      conditions.push(`${column} IN (SELECT value FROM json_each(?))`)
      values.push(JSON.stringify(list))
    }
    oneOf('did', dids)
    oneOf('kind', kinds)
    oneOf('visibility', visibilities)
    if (collections.length > 0) {
      const names = collections.map(name => name.endsWith('.*') ? 'substr(collection, 1, ?) = ?' : 'collection = ?')
      conditions.push(`(collection IS NULL OR ${names.join(' OR ')})`)
      for (const name of collections) {
        values.push(...name.endsWith('.*') ? [name.length - 1, name.slice(0, -1)] : [name])
      }
    }
    const sql = `SELECT ${COLUMNS.join(', ')} FROM records WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ?`
    return opened(file).prepare(sql).all(...values, limit)
      .map(row => COLUMNS.map(column => row[column]) as unknown as Row)
  },

  /** The identities of the last rows before a number, newest first, with their times. */
  identities (file: string, before: number, limit: number): Array<{ number: number, id: string, timeUs: number }> {
    const sql = `SELECT id, did, time_us, operation, collection, rkey, rev,
        CASE WHEN rev IS NULL THEN message END AS message
      FROM records WHERE id < ? ORDER BY id DESC LIMIT ?`
    return opened(file).prepare(sql).all(before, limit)
      .map(({ id, did, time_us: timeUs, operation, collection, rkey, rev, message }) => ({
        number: Number(id),
        timeUs: Number(timeUs),
        id: rev === null ? parseEvent(String(message)).id : [did, rev, collection, rkey, operation].join(' ')
      }))
  },

  /** Which of the events are in a file. */
  known (file: string, identities: Identity[]): boolean[] {
    const database = opened(file)
    const commit = database.prepare('SELECT 1 FROM records WHERE rev = ? AND at_uri = ? AND operation = ?')
    const other = database.prepare('SELECT message FROM records WHERE did = ? AND rev IS NULL')
    return identities.map(({ rev, uri, operation, did, id }) => rev !== null
      ? commit.get(rev, uri, operation) !== undefined
      : other.all(did).some(({ message }) => parseEvent(String(message)).id === id))
  },

  /** Closes a file that is to go. */
  forget (file: string): void {
    readable.get(file)?.close()
    readable.delete(file)
  }
}

export type Jobs = typeof jobs
export type Job = { [Name in keyof Jobs]: { name: Name, args: Parameters<Jobs[Name]> } }[keyof Jobs]

// one after the other, those that wait for the disk too
let last: Promise<unknown> = Promise.resolve()

parentPort!.on('message', ({ name, args }: Job) => {
  last = last.then(async () => {
    let answer: JobAnswer
    try {
      answer = { value: await (jobs[name] as (...args: unknown[]) => unknown)(...args) }
    } catch (error) {
      answer = { error: messageOf(error), code: codeOf(error) }
    }
    parentPort!.postMessage(answer)
  })
})

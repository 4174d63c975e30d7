import { createRequire } from 'node:module'
import { RelayError, messageOf } from '../../errors.ts'

/** The part of `node:sqlite` that is used; `@photostructure/sqlite` has the same. */
interface DatabaseSync {
  exec: (sql: string) => void
  prepare: (sql: string) => Statement
  close: () => void
}

export interface Statement {
  run: (...values: SqlValue[]) => unknown
  get: (...values: SqlValue[]) => Record<string, SqlValue> | undefined
  all: (...values: SqlValue[]) => Array<Record<string, SqlValue>>
}

export type SqlValue = string | number | null

type Constructor = new (file: string, options?: { readOnly?: boolean, timeout?: number }) => DatabaseSync

const OURS = '@photostructure/sqlite@1.2.1'
const BUSY = 10_000 // ms to wait for somebody else's lock, a researcher's `sqlite3` for instance

let found: Constructor | undefined

/**
 * SQLite, from Node where it has one (22 and later), else from an optional package. It is loaded when it is first asked
 * for.
 * @throws RelayError RELAY_BAD_OPTION where there is none, or one that may lose what was committed
 */
export function sqlite (): Constructor {
  if (found !== undefined) return found
  const DatabaseSync = load()
  const database = new DatabaseSync(':memory:')
  const version = String(database.prepare('SELECT sqlite_version() AS version').get()?.['version'])
  database.close()
  if (!isSound(version)) {
    throw new RelayError(
      'RELAY_BAD_OPTION',
      `option feed: SQLite ${version} may lose what was committed (sqlite.org/wal.html, "WAL-reset bug"). Take a ` +
        `newer Node, or npm install ${OURS}`
    )
  }
  found = DatabaseSync
  return found
}

/** Whether a commit cannot be lost to the checkpoint of another connection: fixed in 3.51.3, 3.50.7 and 3.44.6. */
export function isSound (version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number)
  if (major !== 3) return major > 3
  return minor > 51 || (minor === 51 && patch >= 3) || (minor === 50 && patch >= 7) || (minor === 44 && patch >= 6)
}

function load (): Constructor {
  const require = createRequire(import.meta.url)
  try {
    return (require('node:sqlite') as { DatabaseSync: Constructor }).DatabaseSync
  } catch {}
  try {
    return (require('@photostructure/sqlite') as { DatabaseSync: Constructor }).DatabaseSync
  } catch (cause) {
    throw new RelayError('RELAY_BAD_OPTION', 'option feed: this Node has no SQLite (22 and later have one). npm ' +
      `install ${OURS} (${messageOf(cause).split('\n')[0]!})`, {
      cause
    })
  }
}

/**
 * An open file. Statements are kept for the next who needs them. The package leaves a file open after `close` until its
 * statements are collected: nothing here may need a file for itself.
 */
export class Database {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Statement>()

  constructor (file: string, { readOnly = false } = {}) {
    const DatabaseSync = sqlite()
    this.#database = new DatabaseSync(file, { readOnly, timeout: BUSY })
  }

  exec (sql: string): void { this.#database.exec(sql) }

  prepare (sql: string): Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, statement = this.#database.prepare(sql))
    return statement
  }

  close (): void {
    this.#statements.clear()
    this.#database.close()
  }
}

/** Of a file; files of another are left alone. */
export const FORMAT = 1

/**
 * A file of records. `id` to `hydrated_at` are the columns that both known programs have; `id` is the record's number
 * in the feed. While it is written it has only the indexes by which repeats are found: revisions rise, so this one
 * costs little.
 */
export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS records (
    id INTEGER PRIMARY KEY,
    at_uri TEXT NOT NULL,
    did TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    message TEXT NOT NULL,
    message_metadata TEXT NOT NULL,
    created_at TEXT NOT NULL,
    hydrated_at TEXT NOT NULL,
    kind TEXT NOT NULL,
    operation TEXT,
    collection TEXT,
    rkey TEXT,
    rev TEXT,
    visibility TEXT NOT NULL,
    partial INTEGER NOT NULL
  );
  CREATE INDEX IF NOT EXISTS records_rev ON records (rev) WHERE rev IS NOT NULL;
  CREATE INDEX IF NOT EXISTS records_account ON records (did) WHERE rev IS NULL;
`

/** What a file gets when it is sealed. */
export const INDEXES = `
  CREATE INDEX IF NOT EXISTS records_at_uri ON records (at_uri);
  CREATE INDEX IF NOT EXISTS records_did ON records (did, time_us);
  CREATE INDEX IF NOT EXISTS records_time_us ON records (time_us);
  CREATE INDEX IF NOT EXISTS records_collection ON records (collection, time_us);
`

export const COLUMNS = [
  'id', 'at_uri', 'did', 'time_us', 'message', 'message_metadata', 'created_at', 'hydrated_at', 'kind', 'operation',
  'collection',
  'rkey', 'rev', 'visibility', 'partial'
] as const

/** Values in the order of `COLUMNS`. */
export type Row = [
  id: number, uri: string, did: string, timeUs: number, message: string, metadata: string, createdAt: string,
  hydratedAt: string, kind: string, operation: string | null, collection: string | null, rkey: string | null,
  rev: string | null, visibility: string, partial: number
]

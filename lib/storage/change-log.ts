import type { DocumentId } from '../ids.ts'

/**
 * How far a log has come: the place of a record, higher than that of every record before it. Until the log is closed.
 */
export type Position = number

/** What one append says of a document. */
export interface ChangeRecord {
  readonly id: DocumentId
  /** Whole Automerge chunks; with neither these nor `chunk` the document was deleted. */
  readonly changes: Uint8Array
  /** The name of a chunk that was stored as a whole, beside the log. */
  readonly chunk?: string | undefined
}

/**
 * Where changes go first: a log of all that is not in the documents' own chunks yet. What is in it is there until it is
 * said to be elsewhere, whatever process reads it then.
 */
export interface ChangeLog {
  /** Bytes appended since the last `cut`. */
  readonly size: number
  /** Bytes that wait to be written. */
  readonly backlog: number
  /** Why nothing can be written at the moment, if that is so. */
  readonly failure: unknown
  /** ms that the write under way takes by now; 0 when there is none. */
  readonly stalled: number

  /**
   * Reads what is there, oldest first. Called once, before anything else; nothing is deleted.
   * @throws RelayError RELAY_STORAGE_FAILED
   */
  open (found: (record: ChangeRecord) => void): Promise<void>
  /**
   * Appends; as durable as configured when resolved. Records become durable in the order of the calls. Waits as long as
   * they cannot be written.
   * @throws RelayError RELAY_STORAGE_FAILED when they cannot until the end, RELAY_STORAGE_LOST
   */
  append (record: ChangeRecord): Promise<Position>
  /**
   * The position of the last record that is written, and a good place to end what is to be let go of as a whole: all
   * that is appended from now on is behind it.
   */
  cut (): Promise<Position>
  /**
   * Everything up to a position is safe elsewhere and may be forgotten; what comes after never is.
   * @param upTo what `cut` said; a log may keep what is before any other position
   * @throws RelayError RELAY_STORAGE_FAILED or RELAY_STORAGE_LOST
   */
  settled (upTo: Position): Promise<void>
  /**
   * Writes what is waiting, once more if that failed, and lets go. Nothing may be appended after.
   * @throws RelayError RELAY_STORAGE_FAILED when that fails, as do the appends
   */
  close (): Promise<void>
}

import { constants } from 'node:fs'
import { open, readFile, readdir, rm, writeFile, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { makeFolder, syncFolder } from '../../objects/atomic-file.ts'
import type { ChangeLog, ChangeRecord, Position } from '../change-log.ts'
import { decodeRecords, encodeRecord, isCutShort } from './journal-record.ts'
import type { Fence } from './lock.ts'

/** When an append counts as done: on disk, handed to the operating system, or taken. */
export type Durability = 'fsync' | 'write' | 'none'

export interface JournalOptions {
  folder: string
  durability: Durability
  log: Log
  /** Whether writes return only when they are on disk, in place of a sync after each; by default where that can be. */
  writesSync?: boolean
  /** Whether the folder is still its own; by default nobody else's ever. */
  fence?: Fence
  /** Told of each batch that was written. */
  committed?: (seconds: number, records: number, bytes: number) => void
}

interface Waiting {
  record: Buffer
  position: Position
  done: (position: Position) => void
  failed: (error: RelayError) => void
}

/** The names of segments. */
export const SEGMENT = /^(\d{12,15})\.log$/
/** Segments of one process before their numbers are the next one's: no process uses the name of another's again. */
const SEGMENTS_OF_ONE = 1_000_000
const RETRY_FIRST = 100 // ms
const RETRY_LAST = 5_000 // ms
/** One call where a write and its sync would be two. Elsewhere it is not to be had, or ends in the drive's cache. */
const CAN_WRITE_SYNC = process.platform === 'linux'
const APPEND_NEW = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND
const MAX_BATCH = 16 * 1024 * 1024 // bytes in one write
const MAX_SEGMENT = 256 * 1024 * 1024 // bytes, as one is read whole; Node reads no file of 2 GiB

/**
 * An append-only log of changes that are not yet in the documents' own files. Appends that arrive while one is being
 * written go into the next write together (group commit). When the disk fails, appends wait: they are written again, to
 * a new segment, until that succeeds. A segment whose end is torn counts up to there. Before a write or a deletion it
 * is looked whether the folder is another's by now, and after a write, as who took it meanwhile may have read it
 * before.
 */
export class Journal implements ChangeLog {
  readonly #folder: string
  readonly #durability: Durability
  readonly #writesSync: boolean
  readonly #log: Log
  readonly #fence: Fence | undefined
  readonly #committed: NonNullable<JournalOptions['committed']>
  readonly #stop = new AbortController()
  #queue: Waiting[] = []
  #cuts: Array<(position: Position) => void> = []
  /** The segments, oldest first, with the position of the last record in each; the last is being written. */
  readonly #segments = new Map<number, Position>()
  #last = 0
  /** Positions of the last record that was appended, and of the last that is written. */
  #appended: Position = 0
  #written: Position = 0
  #file: FileHandle | undefined
  /** Bytes of the file that are written as they should be. */
  #fileSize = 0
  #size = 0
  #backlog = 0
  #failure: unknown
  /** Set when the folder is another's, so that no write will ever succeed. */
  #loss: RelayError | undefined
  /** When the batch that is being written was first tried (ms of `performance.now()`). */
  #begun: number | undefined
  #writing: Promise<void> | undefined

  constructor ({ folder, durability, log, writesSync = CAN_WRITE_SYNC, fence, committed = () => {} }: JournalOptions) {
    this.#folder = folder
    this.#durability = durability
    this.#writesSync = writesSync && durability === 'fsync'
    this.#log = log
    this.#fence = fence
    this.#committed = committed
  }

  /** Bytes written since the last `cut`. */
  get size (): number { return this.#size }

  /** Bytes waiting to be written. */
  get backlog (): number { return this.#backlog }

  /** Why nothing can be written at the moment, if that is so. */
  get failure (): unknown { return this.#failure }

  /** ms since the batch that is being written was first tried; 0 when none is. */
  get stalled (): number { return this.#begun === undefined ? 0 : performance.now() - this.#begun }

  /** Makes the folder and reads what an earlier process left. */
  async open (found: (record: ChangeRecord) => void): Promise<void> {
    try {
      await makeFolder(this.#folder)
      const names = (await readdir(this.#folder)).map(name => SEGMENT.exec(name)?.[1])
      const segments = names.filter(name => name !== undefined).map(Number).sort((a, b) => a - b)
      this.#last = Math.max(segments.at(-1) ?? 0, (this.#fence?.token ?? 0) * SEGMENTS_OF_ONE)
      for (const segment of segments) {
        const records = await this.#read(segment)
        this.#segments.set(segment, this.#written = this.#appended += records.length)
        for (const record of records) found(record)
      }
    } catch (error) {
      throw this.#failed(error)
    }
  }

  append (record: ChangeRecord): Promise<Position> {
    if (this.#loss !== undefined) return Promise.reject(this.#loss)
    const bytes = encodeRecord(record)
    this.#backlog += bytes.length
    const position = ++this.#appended
    const written = new Promise<Position>((resolve, reject) => {
      this.#queue.push({ record: bytes, position, done: resolve, failed: reject })
    })
    this.#writing ??= this.#write()
    if (this.#durability !== 'none') return written
    written.catch(() => {}) // nobody waits for it; that the disk fails is logged
    return Promise.resolve(position)
  }

  /** Ends the current segment: what is written from now on goes to a new one. */
  cut (): Promise<Position> {
    return new Promise(resolve => {
      this.#cuts.push(resolve)
      this.#writing ??= this.#write()
    })
  }

  /** Deletes the segments that end there or before. */
  async settled (upTo: Position): Promise<void> {
    const open = this.#file === undefined ? undefined : this.#last
    for (const [segment, last] of [...this.#segments]) {
      if (last > upTo || segment === open) continue
      await this.#fence?.check()
      await this.#delete(segment).catch(error => { throw this.#failed(error) })
    }
  }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.#writing
    await this.#endSegment()
    if (this.#queue.length === 0) return
    const error = this.#failed(this.#failure)
    for (const { failed } of this.#queue.splice(0)) failed(error)
    throw error
  }

  async #write (): Promise<void> {
    let wait = RETRY_FIRST
    while (this.#queue.length > 0 || this.#cuts.length > 0) {
      const cut = this.#cuts.shift()
      if (cut !== undefined) {
        await this.#endSegment()
        this.#size = 0
        cut(this.#written)
        continue
      }
      const batch = this.#take()
      const begun = this.#begun ??= performance.now()
      try {
        const bytes = await this.#commit(batch)
        this.#committed((performance.now() - begun) / 1e3, batch.length, bytes)
        this.#begun = undefined
        this.#failure = undefined
        wait = RETRY_FIRST
        this.#written = batch.at(-1)!.position
        for (const { record, position, done } of batch) {
          this.#backlog -= record.length
          done(position)
        }
      } catch (error) {
        this.#queue = [...batch, ...this.#queue]
        if (codeOf(error) === 'RELAY_STORAGE_LOST') {
          await this.#lose(error as RelayError)
          continue
        }
        this.#log.error({ err: error }, `journal not written, nothing is acknowledged until it is: ${messageOf(error)}`)
        this.#failure = error
        await this.#undo()
        if (this.#stop.signal.aborted) break
        await sleep(wait, undefined, { signal: this.#stop.signal }).catch(() => {}) // closing: one last try
        wait = Math.min(wait * 2, RETRY_LAST)
      }
    }
    this.#writing = undefined
  }

  /** What was written of the batch stays: whoever has the folder now may have read it, or not. */
  async #lose (loss: RelayError): Promise<void> {
    this.#failure = this.#loss = loss
    this.#begun = undefined
    this.#backlog = 0
    await this.#endSegment()
    for (const { failed } of this.#queue.splice(0)) failed(loss)
  }

  #take (): Waiting[] {
    let size = 0
    let count = 0
    for (const { record } of this.#queue) {
      size += record.length
      if (count > 0 && size > MAX_BATCH) break
      count++
    }
    return this.#queue.splice(0, count)
  }

  /** Returns how many bytes it wrote. */
  async #commit (batch: Waiting[]): Promise<number> {
    await this.#fence?.check()
    const { position } = batch.at(-1)!
    const file = this.#file ?? await this.#begin(position)
    this.#segments.set(this.#last, position)
    const bytes = batch.length === 1 ? batch[0]!.record : Buffer.concat(batch.map(({ record }) => record))
    for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
    if (this.#durability === 'fsync' && !this.#writesSync) await file.datasync()
    await this.#fence?.check()
    this.#size += bytes.length
    this.#fileSize += bytes.length
    if (this.#fileSize > MAX_SEGMENT) await this.#endSegment()
    return bytes.length
  }

  /** @param position of the last record that is about to be written */
  async #begin (position: Position): Promise<FileHandle> {
    await makeFolder(this.#folder) // it may have been cleared away
    const segment = ++this.#last
    const file = await open(this.#path(segment), this.#writesSync ? APPEND_NEW | constants.O_DSYNC : APPEND_NEW)
    this.#file = file
    this.#fileSize = 0
    this.#segments.set(segment, position)
    await syncFolder(this.#folder)
    return file
  }

  /**
   * After a failed write: ends the segment and takes the space back, else each try on a full disk would fill it again.
   * Where that fails too, what is torn or not synced stays, as the end of its segment.
   */
  async #undo (): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    try {
      if (this.#fileSize > 0) await file.truncate(this.#fileSize)
      else await this.#delete(this.#last)
    } catch (error) {
      this.#log.warn({ segment: this.#last, err: error }, 'the failed write stays at the end of its journal segment')
    }
    if (this.#segments.has(this.#last)) this.#segments.set(this.#last, this.#written) // it is written again elsewhere
    await this.#endSegment()
  }

  async #endSegment (): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(error => { this.#log.warn({ err: error }, 'a journal segment could not be closed') })
  }

  async #delete (segment: number): Promise<void> {
    await rm(this.#path(segment), { force: true })
    this.#segments.delete(segment)
  }

  async #read (segment: number): Promise<ChangeRecord[]> {
    const bytes = await readFile(this.#path(segment))
    const { records, end } = decodeRecords(bytes)
    const rest = bytes.subarray(end)
    const told = { segment, records: records.length, bytes: rest.length }
    if (isCutShort(rest)) this.#log.warn(told, 'the end of a journal segment was torn by a crash')
    else if (rest.length > 0) {
      // what a power failure left of a write that nobody was told of, or damage to one that somebody was
      await writeFile(`${this.#path(segment)}.damaged`, rest)
      this.#log.error(told, `a journal segment is damaged; from there on it is kept in ${this.#path(segment)}.damaged`)
    }
    return records
  }

  #path (segment: number): string {
    return path.join(this.#folder, `${String(segment).padStart(12, '0')}.log`)
  }

  #failed (cause: unknown): RelayError {
    return new RelayError('RELAY_STORAGE_FAILED', `journal ${this.#folder}: ${messageOf(cause)}`, { cause })
  }
}

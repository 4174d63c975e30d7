import { mkdir, open, readFile, readdir, rm, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { syncFolder } from './atomic-file.ts'
import { decodeRecords, encodeRecord, type JournalRecord } from './journal-record.ts'

/** When an append counts as done: on disk, handed to the operating system, or taken. */
export type Durability = 'fsync' | 'write' | 'none'

export interface JournalOptions { folder: string, durability: Durability, log: Log }

interface Waiting { record: Buffer, done: () => void }

const SEGMENT = /^(\d{12})\.log$/
const RETRY_FIRST = 100 // ms
const RETRY_LAST = 5_000 // ms
const MAX_BATCH = 16 * 1024 * 1024 // bytes in one write

/**
 * An append-only log of changes that are not yet in the documents' own files. Appends that arrive while one is being
 * written go into the next write together (group commit). When the disk fails, appends wait: they are written again, to
 * a new segment, until that succeeds. A segment whose end is torn counts up to there.
 */
export class Journal {
  readonly #folder: string
  readonly #durability: Durability
  readonly #log: Log
  readonly #stop = new AbortController()
  #queue: Waiting[] = []
  #rotations: Array<{ resolve: (ended: number[]) => void, reject: (error: unknown) => void }> = []
  #file: FileHandle | undefined
  #segment = 0
  #size = 0
  #backlog = 0
  #failure: unknown
  #writing: Promise<void> | undefined

  constructor ({ folder, durability, log }: JournalOptions) {
    this.#folder = folder
    this.#durability = durability
    this.#log = log
  }

  /** Bytes in segments that were begun since the last `rotate`. */
  get size (): number { return this.#size }

  /** Bytes waiting to be written. */
  get backlog (): number { return this.#backlog }

  /** Why nothing can be written at the moment, if that is so. */
  get failure (): unknown { return this.#failure }

  /** Makes the folder and reads what an earlier process left: its records, oldest first. Nothing is deleted. */
  async open (): Promise<JournalRecord[]> {
    await mkdir(this.#folder, { recursive: true })
    const left: JournalRecord[] = []
    for (const segment of await this.#segments()) {
      const bytes = await readFile(this.#path(segment))
      const { records, end } = decodeRecords(bytes)
      for (const record of records) left.push(record)
      if (end < bytes.length) this.#log.warn({ segment, records: records.length, bytes: bytes.length - end }, 'the end of a journal segment was torn by a crash')
      this.#segment = segment
    }
    return left
  }

  /** Resolves when the record is as durable as the journal is told to make it; waits as long as the disk fails. */
  append (record: JournalRecord): Promise<void> {
    const bytes = encodeRecord(record)
    this.#backlog += bytes.length
    const written = new Promise<void>(resolve => { this.#queue.push({ record: bytes, done: resolve }) })
    this.#writing ??= this.#write()
    return this.#durability === 'none' ? Promise.resolve() : written
  }

  /**
   * Ends the current segment: what is written from now on goes to a new one.
   * @returns deletes the ended segments; to be called once what they hold is safe elsewhere
   */
  async rotate (): Promise<() => Promise<void>> {
    const ended = await new Promise<number[]>((resolve, reject) => {
      this.#rotations.push({ resolve, reject })
      this.#writing ??= this.#write()
    })
    return async () => {
      for (const segment of ended) await rm(this.#path(segment), { force: true })
    }
  }

  /** Writes what is waiting, once more if the disk failed, and lets go. @throws the disk's error when that fails */
  async close (): Promise<void> {
    this.#stop.abort()
    await this.#writing
    await this.#endSegment()
    if (this.#queue.length > 0) throw this.#failure
  }

  async #write (): Promise<void> {
    let wait = RETRY_FIRST
    while (this.#queue.length > 0 || this.#rotations.length > 0) {
      const rotation = this.#rotations.shift()
      if (rotation !== undefined) {
        await this.#end().then(rotation.resolve, rotation.reject)
        continue
      }
      const batch = this.#take()
      try {
        await this.#commit(batch.map(({ record }) => record))
        this.#failure = undefined
        wait = RETRY_FIRST
        for (const { record, done } of batch) {
          this.#backlog -= record.length
          done()
        }
      } catch (error) {
        this.#queue = [...batch, ...this.#queue]
        this.#log.error({ err: error }, `journal not written, nothing is acknowledged until it is: ${messageOf(error)}`)
        this.#failure = error
        await this.#endSegment() // whatever is torn or unsynced in it, what follows it is not
        if (this.#stop.signal.aborted) break
        await sleep(wait, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {}) // closing: one last try
        wait = Math.min(wait * 2, RETRY_LAST)
      }
    }
    this.#writing = undefined
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

  async #commit (records: Buffer[]): Promise<void> {
    this.#file ??= await this.#begin()
    const bytes = records.length === 1 ? records[0]! : Buffer.concat(records)
    await this.#file.appendFile(bytes)
    this.#size += bytes.length
    if (this.#durability === 'fsync') await this.#file.datasync()
  }

  async #begin (): Promise<FileHandle> {
    const file = await open(this.#path(++this.#segment), 'ax')
    await syncFolder(this.#folder)
    return file
  }

  async #end (): Promise<number[]> {
    await this.#endSegment()
    this.#size = 0
    return await this.#segments()
  }

  async #endSegment (): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.close().catch(error => { this.#log.warn({ err: error }, 'a journal segment could not be closed') })
  }

  #path (segment: number): string {
    return path.join(this.#folder, `${String(segment).padStart(12, '0')}.log`)
  }

  async #segments (): Promise<number[]> {
    const numbers = (await readdir(this.#folder)).map(name => SEGMENT.exec(name)?.[1])
    return numbers.filter(number => number !== undefined).map(Number).sort((a, b) => a - b)
  }
}

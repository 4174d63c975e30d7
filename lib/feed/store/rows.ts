import path from 'node:path'
import type { FeedEvent } from '../event.ts'
import type { FeedRecord } from '../sinks/sink.ts'
import { recordOf } from './row.ts'
import type { Row } from './schema.ts'
import { sqliteThread } from './thread.ts'

const WINDOW = 5_000 // numbers that one look goes through
const SLACK = 600_000_000 // µs by which the times of an event may differ between hosts
const TAIL = 20_000 // identities read at once

export interface FileRange { file: string, first: number, last: number, firstTimeUs: number, lastTimeUs: number }

/** What somebody wants of the records. What is left out wants all. */
export interface RecordFilter {
  readonly collections?: readonly string[]
  readonly dids?: readonly string[]
  readonly kinds?: readonly string[]
  readonly visibilities?: readonly string[]
}

/** Rows, and the number up to which all have been looked at. */
export interface Page { rows: Row[], next: number }

/** Reads the files of records, on a thread of its own. */
export class Rows {
  readonly #thread = sqliteThread()
  readonly #folder: string
  readonly #ranges: () => FileRange[]
  readonly #last: () => number

  /** @param last the last number that was given out, in one of the files or not */
  constructor (folder: string, ranges: () => FileRange[], last: () => number) {
    this.#folder = folder
    this.#ranges = ranges
    this.#last = last
  }

  /** The next rows after a number, at most `limit`. There may be none although there are more: go on at `next`. */
  async page (after: number, limit: number, filter: RecordFilter = {}): Promise<Page> {
    const range = this.#ranges().find(({ last }) => last > after)
    if (range === undefined) return { rows: [], next: Math.max(after, this.#last()) }
    const from = Math.max(after, range.first - 1)
    const until = Math.min(range.last, from + WINDOW)
    const { collections = [], dids = [], kinds = [], visibilities = [] } = filter
    const query = {
      after: from,
      until,
      limit,
      collections: [...collections],
      dids: [...dids],
      kinds: [...kinds],
      visibilities: [...visibilities]
    }
    const rows = await this.#in(range, async file => await this.#thread.run('page', { file, ...query }))
    if (rows === undefined) return await this.page(after, limit, filter)
    return { rows, next: rows.length === limit ? rows.at(-1)![0] : until }
  }

  /** The next records after a number, and the number up to which all have been looked at. */
  async records (after: number, limit: number): Promise<{ records: FeedRecord[], next: number }> {
    const { rows, next } = await this.page(after, limit)
    return { records: rows.map(recordOf), next }
  }

  /** The identities of the last records, newest first, until there are enough or they are older than a time. */
  async * identities (
    most: number, sinceUs: (newest: number) => number
  ): AsyncGenerator<{ id: string, timeUs: number }> {
    let left = most
    let newest = 0
    for (let before = Number.MAX_SAFE_INTEGER; left > 0;) {
      const range = this.#ranges().findLast(({ first }) => first < before) // anew each time: files are sealed meanwhile
      if (range === undefined) return
      const found = await this.#in(
        range, async file => await this.#thread.run('identities', file, before, Math.min(left, TAIL))
      )
      if (found === undefined) continue
      for (const { id, timeUs } of found) {
        newest = Math.max(newest, timeUs)
        yield { id, timeUs }
      }
      left -= found.length
      const oldest = found.at(-1)
      if (oldest !== undefined && oldest.timeUs < sinceUs(newest)) return
      before = oldest?.number ?? range.first
    }
  }

  /** Which of the events have been recorded: looked up in the files of their time. */
  async known (events: readonly FeedEvent[]): Promise<boolean[]> {
    const known = events.map(() => false)
    const low = Math.min(...events.map(({ timeUs }) => timeUs)) - SLACK
    const high = Math.max(...events.map(({ timeUs }) => timeUs)) + SLACK
    for (const range of this.#ranges().filter(range => range.lastTimeUs >= low && range.firstTimeUs <= high)) {
      const identities = events.map(({ id, did, uri, commit }) => ({
        id, did, uri, rev: commit?.rev ?? null, operation: commit?.operation ?? null
      }))
      const found = await this.#in(range, async file => await this.#thread.run('known', file, identities))
      if (found === undefined) return await this.known(events)
      for (const [index, is] of found.entries()) known[index] ||= is
    }
    return known
  }

  /** Reads a file. @returns undefined when it was sealed or dropped meanwhile, and what was looked for is elsewhere */
  async #in<T> ({ file }: FileRange, read: (file: string) => Promise<T>): Promise<T | undefined> {
    try {
      return await read(path.join(this.#folder, file))
    } catch (error) {
      if (this.#ranges().some(range => range.file === file)) throw error
      return undefined
    }
  }

  /** Lets go of a file that is gone. */
  async forget (file: string): Promise<void> {
    await this.#thread.run('forget', path.join(this.#folder, file))
  }

  async close (): Promise<void> {
    await this.#thread.finish('close')
  }
}

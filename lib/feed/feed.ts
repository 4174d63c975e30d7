import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.ts'
import type { Archive } from './archive/archive.ts'
import { Buffer as EventBuffer, type Group } from './pipeline/buffer.ts'
import { CursorFile, type Cursor } from './pipeline/cursor.ts'
import { Backlog } from './pipeline/backlog.ts'
import { DeadLetters, letterOfFrame } from './pipeline/dead-letters.ts'
import type { FeedEvent } from './event.ts'
import type { FeedParts } from './feed-parts.ts'
import { Gaps } from './pipeline/gaps.ts'
import type { Hydrator } from './hydrate/hydrator.ts'
import { Insistence } from './pipeline/insist.ts'
import { Ledger } from './pipeline/ledger.ts'
import type { Position } from './position.ts'
import { Repeats } from './pipeline/repeats.ts'
import { isSelected } from './pipeline/selection.ts'
import { Follower } from './sinks/follower.ts'
import type { Batch } from './sinks/sink.ts'
import { Source } from './source/source.ts'
import { RecordStore } from './store/store.ts'

const LOOKUPS = 4 // batches that are hydrated at once
const TICK = 5_000 // ms
const MEMORY = 200_000 // identities taken in at the start

interface Opened { file: CursorFile, cursor: Cursor, store: RecordStore, gaps: Gaps, deadLetters: DeadLetters }

/**
 * The stream of events, hydrated, recorded and handed on: source, buffer, hydrator, records, sinks. Records get their
 * numbers in the stream's order, are written to the record store first, and every sink is fed from there at its own
 * pace. The cursor moves when all required sinks have what is before it.
 */
export class Feed {
  events = 0
  repeats = 0
  unselected = 0
  records = 0
  readonly source: Source
  readonly buffer: EventBuffer
  readonly store: RecordStore
  readonly gaps: Gaps
  readonly deadLetters: DeadLetters
  readonly followers: readonly Follower[]
  readonly hydrator: Hydrator
  readonly archive: Archive | undefined
  readonly #backlog: Backlog
  /** ms from received to durable, of the last batch */
  delay = 0
  /** Told of each batch once it is recorded */
  readonly listeners = new Set<(batch: Batch) => void>()
  readonly #parts: FeedParts
  readonly #cursorFile: CursorFile
  readonly #cursor: Cursor
  readonly #memory = new Repeats()
  readonly #ledger = new Ledger()
  readonly #stop = new AbortController()
  readonly #insistence: Insistence
  readonly #waiting: Array<{ group: Group, at: number }> = []
  readonly #timer: NodeJS.Timeout
  #lookups = 0
  #preparing: Promise<unknown> = Promise.resolve()
  #order: Promise<void> = Promise.resolve()
  #number: number

  private constructor (parts: FeedParts, opened: Opened) {
    this.#parts = parts
    this.#insistence = new Insistence(this.#stop.signal, parts.log)
    const { file, cursor, store, gaps, deadLetters } = opened
    this.#cursorFile = file
    this.#cursor = cursor
    this.store = store
    this.gaps = gaps
    this.deadLetters = deadLetters
    this.hydrator = parts.hydrator
    this.archive = parts.archive
    this.#backlog = new Backlog(store, parts.archive)
    if (parts.archive !== undefined) this.#keep(parts.archive)
    this.#number = store.lastNumber
    this.followers = parts.sinks.map(sink => new Follower({
      sink,
      number: cursor.sinks[sink.name] ?? store.lastNumber, // one that is new begins with what comes
      next: async after => after >= this.#number ? [] : await this.#backlog.next(after),
      moved: () => { this.#settle() },
      refused: async refusals => {
        await deadLetters.add(refusals.map(
          ({ record, reason }) => ({ from: sink.name, reason, number: record.number })
        ))
      },
      log: parts.log
    }))
    this.buffer = new EventBuffer({
      group: group => { this.#take(group) },
      full: isFull => { isFull ? this.source.pause() : this.source.resume() }
    })
    this.source = new Source({
      ...parts.source,
      log: parts.log,
      take: (event, position) => {
        this.events++
        this.buffer.add(event, position)
      },
      gap: async gap => {
        parts.log.error({ gap }, 'the feed has a gap: no server has the events of that time any more')
        await this.#insistence.on('note a gap', async () => { await gaps.add(gap) })
      },
      rejected: (frame, reason, host) => {
        parts.log.warn({ host: host.url, reason }, 'the feed got a frame that is no event')
        deadLetters.add([letterOfFrame(frame, reason, host.url)]).catch(this.#failed('keep a dead letter'))
      }
    })
    this.#timer = setInterval(() => { this.#tick() }, TICK)
    this.#timer.unref()
  }

  /** @throws RelayError RELAY_BAD_OPTION without SQLite; Error for a folder that cannot be used */
  static async open (parts: FeedParts): Promise<Feed> {
    const { folder, log } = parts
    await mkdir(folder, { recursive: true })
    const gaps = await Gaps.open(path.join(folder, 'gaps.json'))
    const cursor = await CursorFile.open(path.join(folder, 'cursor.json'), log)
    const { number } = cursor.cursor
    const mayDrop = ({ file }: { file: string }): boolean => parts.archive?.has(file) ?? true
    const store = await RecordStore.open({
      ...parts.store, folder: path.join(folder, 'records'), log, gaps: () => gaps.list, lastNumber: number, mayDrop
    })
    try {
      const deadLetters = await DeadLetters.open(path.join(folder, 'dead-letters.jsonl'))
      const feed = new Feed(parts, { ...cursor, store, gaps, deadLetters })
      await feed.#remember()
      return feed
    } catch (error) {
      await store.close()
      throw error
    }
  }

  start (): void {
    for (const follower of this.followers) follower.wake()
    this.source.start(this.#cursor.position ?? this.store.position)
  }

  /** Where the stream stands: everything up to there is where it must be. */
  get position (): Position | undefined { return this.#cursor.position }

  /** Why records cannot be written, if they cannot. */
  get problem (): string | undefined { return this.#insistence.problem }

  /** Seconds that the newest record is behind the clock; of a quiet stream, what the server has confirmed. */
  get lag (): number {
    const timeUs = Math.max(this.source.position?.timeUs ?? 0, 0)
    return timeUs === 0 ? 0 : Math.max(0, Date.now() / 1000 - timeUs / 1e6)
  }

  /** What is wrong, in words; empty when the feed is well. */
  get problems (): string[] {
    const { state, aliveAt, problem } = this.source
    const isLost = state === 'refused' || (state === 'connecting' && Date.now() - aliveAt > 45_000)
    return [
      ...isLost ? [`source: ${problem ?? 'not connected'}`] : [],
      ...this.problem === undefined ? [] : [`records: ${this.problem}`],
      ...this.#cursorFile.failure === undefined ? [] : [`cursor: ${this.#cursorFile.failure}`],
      ...this.archive?.problem === undefined ? [] : [`archive: ${this.archive.problem}`],
      ...this.followers.flatMap(({ sink, problem }) => problem === undefined ? [] : [`sink ${sink.name}: ${problem}`])
    ]
  }

  /** Takes in what has come, writes down where it stands, and ends. */
  async close (): Promise<void> {
    this.source.close()
    this.buffer.flush()
    this.buffer.close()
    clearInterval(this.#timer)
    // what was not done by then comes again
    const late = setTimeout(() => { this.#stop.abort(new Error('the feed closes')) }, 3_000)
    while (this.#waiting.length > 0 || this.#lookups > 0) await Promise.race([this.#order, sleep(20)])
    await this.#order
    clearTimeout(late)
    for (const follower of this.followers) await follower.close()
    this.#settle()
    await this.#cursorFile.close()
    await this.deadLetters.close()
    await this.archive?.close()
    await this.store.close()
    await this.hydrator.close()
  }

  /** Takes in the identities of what was recorded last. */
  async #remember (): Promise<void> {
    const entries: Array<{ id: string, timeUs: number }> = []
    for await (const entry of this.store.rows.identities(MEMORY, newest => newest - 600_000_000)) entries.push(entry)
    this.#memory.fill(entries.reverse(), entries.length >= this.store.lastNumber - this.store.firstNumber + 1)
  }

  #take (group: Group): void {
    this.#waiting.push({ group, at: Date.now() })
    this.#look()
  }

  /** Has the next batches hydrated, so many at once; they are recorded in the order they came. */
  #look (): void {
    while (this.#lookups < LOOKUPS && this.#waiting.length > 0) {
      const { group, at } = this.#waiting.shift()!
      this.#lookups++
      const fresh = this.#preparing.then(async () => await this.#fresh(group))
      this.#preparing = fresh.catch(() => {})
      const made = fresh.then(async events => events.length === 0 ? [] : await this.#hydrate(events))
      made.catch(() => {}) // it is looked at below
      this.#order = this.#order.then(async () => {
        try {
          await this.#record(group, await made)
          this.delay = Date.now() - at
        } catch (error) {
          if (!this.#stop.signal.aborted) throw error
        } finally {
          this.#lookups--
          this.#look()
        }
      })
    }
  }

  /** Those of a batch that are wanted and were not there before. */
  async #fresh ({ events }: Group): Promise<FeedEvent[]> {
    const { selection } = this.#parts
    const selected = events.filter(event => isSelected(event, selection))
    this.unselected += events.length - selected.length
    const { horizon } = this.#memory
    const fresh = selected.filter(({ id, timeUs }) => !this.#memory.isRepeat(id, timeUs))
    const old = fresh.filter(({ timeUs }) => timeUs <= horizon)
    const found = old.length === 0
      ? []
      : await this.#insistence.on('look for repeats', async () => await this.store.rows.known(old))
    const known = new Set(old.filter((_event, index) => found[index]))
    const rest = known.size === 0 ? fresh : fresh.filter(event => !known.has(event))
    this.repeats += selected.length - rest.length
    return rest
  }

  async #hydrate (events: FeedEvent[]): Promise<Omit<Batch[number], 'number'>[]> {
    const hydrations = await this.hydrator.hydrate(events, this.#stop.signal)
    return events.map((event, index) => ({ event, hydration: hydrations[index]! }))
  }

  async #record (group: Group, made: Array<Omit<Batch[number], 'number'>>): Promise<void> {
    if (made.length > 0) {
      const batch = made.map((record, index) => ({ number: this.#number + 1 + index, ...record }))
      await this.#insistence.on('write its records', async () => { await this.store.append(batch, group.position) })
      this.#number += batch.length
      this.records += batch.length
      this.#backlog.push(batch)
      for (const listener of this.listeners) listener(batch)
    }
    this.#ledger.add(group, this.#number)
    this.#settle()
    for (const follower of this.followers) follower.wake()
  }

  /** Has files archived before they may go. */
  #keep (archive: Archive): void {
    const { store } = this
    store.onSealed = manifest => { archive.add(manifest) }
    archive.onStored = () => { store.drop().catch(this.#failed('drop a file')) }
    for (const manifest of store.sealed) archive.add(manifest)
  }

  /** Moves the cursor to where all required sinks are. */
  #settle (): void {
    const required = this.followers.filter(({ sink }) => sink.required).map(({ number }) => number)
    const done = this.#ledger.settle(Math.min(this.#number, ...required))
    for (const group of done) this.buffer.done(group)
    if (done.length > 0) this.#cursor.position = done.at(-1)!.position
    this.#save()
  }

  #save (): void {
    this.#cursor.number = this.#number
    this.#cursor.sinks = Object.fromEntries(this.followers.map(({ sink, number }) => [sink.name, number]))
    this.#cursorFile.save(this.#cursor)
  }

  /** Of a stream that is quiet the clock tells how far it is. */
  #tick (): void {
    const { position } = this.source
    if (this.buffer.size === 0 && this.#ledger.size === 0 && position !== undefined) this.#cursor.position = position
    this.#save()
    this.store.tick().catch(this.#failed('tend its files'))
  }

  /** For what nobody waits for. */
  #failed (what: string): (error: unknown) => void {
    return error => { this.#parts.log.error({ err: error }, `the feed cannot ${what}: ${messageOf(error)}`) }
  }
}

import { readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { makeFolder, writeAtomic } from '../../objects/atomic-file.ts'
import type { Durability } from '../../storage/local/journal.ts'
import type { Gap } from '../pipeline/gap.ts'
import { asPosition, type Position } from '../position.ts'
import type { Batch } from '../sinks/sink.ts'
import { fileName, firstNumberOf, openName, readManifest, sealedName, type Manifest } from './manifest.ts'
import { rowOf } from './row.ts'
import { Rows, type FileRange } from './rows.ts'
import { sqlite } from './sqlite.ts'
import { sqliteThread } from './thread.ts'

export interface StoreOptions {
  /** The folder of the files */
  readonly folder: string
  readonly durability: Durability
  readonly log: Log
  /** ms after which the next file is begun */
  readonly rotateAfter: number
  /** Bytes after which the next file is begun */
  readonly rotateBytes: number
  /** ms that a sealed file is kept */
  readonly keepFor: number
  /** Bytes of all files together, beyond which the oldest go */
  readonly keepBytes: number
  /** Whether a sealed file may be dropped when its time is over; always unless given */
  readonly mayDrop?: (manifest: Manifest) => boolean
  /** The last number that is known to have been given to a record, also where that was dropped since */
  readonly lastNumber?: number
  /** The gaps that have been found, for the manifests */
  readonly gaps: () => readonly Gap[]
}

interface Current { name: string, openedAt: number, lastNumber: number, bytes: number }

/**
 * The records, in SQLite files that plain `sqlite3` opens: what the feed's other sinks, its consumers and its memory
 * are read from. One file is written to; the others are sealed: indexed, hashed, never changed again, and at last
 * archived or dropped.
 */
export class RecordStore {
  /** A file was sealed: it may be archived. */
  onSealed: (manifest: Manifest) => void = () => {}
  /** Records that were dropped with their files */
  dropped = 0
  readonly rows: Rows
  readonly #options: StoreOptions
  readonly #writer = sqliteThread()
  readonly #sealer = sqliteThread()
  readonly #sealed: Manifest[] = []
  #unsealed: Array<{ name: string, lastNumber: number }> = []
  #current: Current | undefined
  #position: Position | undefined
  #lastNumber = 0
  #sealing: Promise<void> | undefined
  #writing: Promise<unknown> = Promise.resolve()
  #isClosing = false

  private constructor (options: StoreOptions) {
    this.#options = options
    this.#lastNumber = options.lastNumber ?? 0
    this.rows = new Rows(options.folder, () => this.#ranges(), () => this.#lastNumber)
  }

  /** @throws RelayError RELAY_BAD_OPTION without SQLite */
  static async open (options: StoreOptions): Promise<RecordStore> {
    sqlite()
    await makeFolder(options.folder)
    const store = new RecordStore(options)
    await store.#find()
    return store
  }

  /** The last number that was given to a record, 0 when none was. It never goes back. */
  get lastNumber (): number { return this.#lastNumber }

  /** The first record's number that is kept; one more than the last when there is none. */
  get firstNumber (): number {
    return this.#ranges().find(({ last, first }) => last >= first)?.first ?? this.lastNumber + 1
  }

  /** Where the stream stood after the last that was written. */
  get position (): Position | undefined { return this.#position }

  get sealed (): readonly Manifest[] { return this.#sealed }

  /** Bytes of all files. */
  get bytes (): number { return this.#sealed.reduce((sum, { bytes }) => sum + bytes, this.#current?.bytes ?? 0) }

  /**
   * Writes a batch; on disk when resolved. A number that is there already is left as it is.
   * @param position where the stream stands after it
   */
  async append (batch: Batch, position: Position): Promise<void> {
    const run = this.#writing.then(async () => {
      const current = this.#current ?? await this.#begin(batch[0]!.number)
      const now = Date.now()
      current.bytes = await this.#writer.run(
        'append', batch.map(record => rowOf(record, now)), JSON.stringify(position)
      )
      current.lastNumber = this.#lastNumber = batch.at(-1)!.number
      this.#position = position
      const { rotateAfter, rotateBytes } = this.#options
      if (current.bytes >= rotateBytes || Date.now() - current.openedAt >= rotateAfter) await this.#rotate()
    })
    this.#writing = run.catch(() => {})
    await run.catch(async (error: unknown) => {
      if (codeOf(error) === undefined) await this.#reopen() // the thread is gone, and its file is to be opened anew
      throw error
    })
  }

  /** Seals what is open, if there is anything in it. Resolves when that is done. */
  async seal (): Promise<void> {
    const run = this.#writing.then(async () => { if (this.#current !== undefined) await this.#rotate() })
    this.#writing = run.catch(() => {})
    await run
    await this.#sealing
  }

  /** Begins the next file when it is time and nothing comes; drops what is too old. */
  async tick (): Promise<void> {
    const { openedAt } = this.#current ?? { openedAt: Infinity }
    if (Date.now() - openedAt >= this.#options.rotateAfter) await this.seal()
    else if (this.#unsealed.length > 0) this.#sealAll()
    await this.drop()
  }

  /** Drops the oldest files: those that are too old, and those beyond the total size. */
  async drop (): Promise<void> {
    const { folder, keepFor, keepBytes, mayDrop = () => true, log } = this.#options
    while (this.#sealed.length > 0) {
      const [manifest] = this.#sealed
      const isOld = Date.now() - Date.parse(manifest!.sealedAt) > keepFor
      if ((!isOld && this.bytes <= keepBytes) || !mayDrop(manifest!)) return
      this.#sealed.shift()
      this.dropped += manifest!.rows
      await this.rows.forget(manifest!.file)
      await rm(path.join(folder, manifest!.file), { force: true })
      await rm(path.join(folder, `${manifest!.file}.json`), { force: true })
      log.info({ file: manifest!.file, rows: manifest!.rows }, 'the feed dropped a file of records whose time is over')
    }
  }

  async close (): Promise<void> {
    this.#isClosing = true
    await this.#writing
    await this.#sealing
    await Promise.all([this.#writer.finish('close'), this.#sealer.finish('close'), this.rows.close()])
  }

  async #begin (number: number): Promise<Current> {
    const name = openName(fileName(number, new Date()))
    const position = JSON.stringify(this.#position ?? null)
    await this.#writer.run('open', path.join(this.#options.folder, name), position, this.#options.durability)
    this.#current = { name, openedAt: Date.now(), lastNumber: number - 1, bytes: 0 }
    return this.#current
  }

  /** Goes on with a file after its thread failed. */
  async #reopen (): Promise<void> {
    if (this.#current === undefined) return
    const file = path.join(this.#options.folder, this.#current.name)
    await this.#writer.run('open', file, 'null', this.#options.durability).catch((error: unknown) => {
      this.#options.log.error({ file, err: error }, `the feed cannot go on with its file: ${messageOf(error)}`)
    })
  }

  async #rotate (): Promise<void> {
    const { name, lastNumber } = this.#current!
    await this.#writer.run('close')
    this.#unsealed.push({ name, lastNumber })
    this.#current = undefined
    this.#sealAll()
  }

  #sealAll (): void {
    this.#sealing ??= this.#sealNext().finally(() => { this.#sealing = undefined })
  }

  async #sealNext (): Promise<void> {
    const { folder, log } = this.#options
    try {
      while (this.#unsealed.length > 0 && !this.#isClosing) {
        const { name } = this.#unsealed[0]!
        const file = sealedName(name)!
        const copy = path.join(folder, `${file}.tmp`)
        const { from, to, ...facts } = await this.#sealer.run('seal', path.join(folder, name), copy)
        const [first, last] = [positionIn(from), positionIn(to)]
        const gaps = this.#options.gaps()
          .filter(({ to }) => to.timeUs > (first?.timeUs ?? 0) && to.timeUs <= (last?.timeUs ?? 0))
        const manifest: Manifest = {
          version: 1, file, ...facts, from: first, to: last, gaps, sealedAt: new Date().toISOString()
        }
        await rename(copy, path.join(folder, file))
        await writeAtomic(path.join(folder, `${file}.json`), Buffer.from(JSON.stringify(manifest, null, 2)), folder)
        this.#sealed.push(manifest)
        this.#unsealed.shift()
        await this.rows.forget(name)
        await this.#remove(name)
        this.onSealed(manifest)
        await this.drop()
      }
    } catch (error) {
      log.error({ err: error }, `the feed cannot seal a file of records, and tries again: ${messageOf(error)}`)
    }
  }

  /** Finds what is there: sealed files, one that was written to, and those whose sealing was cut short. */
  async #find (): Promise<void> {
    const { folder, log } = this.#options
    const all = await readdir(folder)
    for (const name of all) if (name.endsWith('.tmp')) await rm(path.join(folder, name), { force: true })
    const sealed = all.filter(name => firstNumberOf(name) !== undefined && sealedName(name) === undefined)
      .sort(byNumber)
    for (const name of sealed) {
      const manifest = await readManifest(path.join(folder, `${name}.json`))
      if (manifest === undefined) continue // it is made again
      this.#sealed.push(manifest)
      this.#position = manifest.to ?? this.#position
      this.#lastNumber = Math.max(this.#lastNumber, manifest.lastNumber)
      await this.#remove(openName(name)) // what it was made of, which may be there still
    }
    const names = all.filter(name => firstNumberOf(name) !== undefined && sealedName(name) !== undefined).sort(byNumber)
    for (const name of names) {
      if (this.#sealed.some(({ file }) => file === sealedName(name))) continue
      try {
        const { lastNumber, to, rows, bytes } = await this.#writer.run(
          'open', path.join(folder, name), 'null', this.#options.durability
        )
        this.#position = positionIn(to) ?? this.#position
        if (rows > 0) this.#lastNumber = Math.max(this.#lastNumber, lastNumber)
        if (rows > 0 && name === names.at(-1)) {
          this.#current = { name, openedAt: Date.now(), lastNumber, bytes }
          continue
        }
        await this.#writer.run('close')
        if (rows === 0) await this.#remove(name)
        else this.#unsealed.push({ name, lastNumber })
      } catch (error) {
        if (!/malformed|not a database/.test(messageOf(error))) {
          throw new RelayError(
            'RELAY_STORAGE_FAILED', `the feed cannot open ${name}: ${messageOf(error)}`, { cause: error }
          )
        }
        log.error(
          { file: name, err: error }, `the feed puts ${name} aside, which is damaged: it goes on from its cursor`
        )
        await this.#writer.run('close').catch(() => {})
        // numbers that were given out in it may be known to readers, and are given to nothing else
        const { size } = await stat(path.join(folder, name))
        this.#lastNumber = Math.max(this.#lastNumber, firstNumberOf(name)! + Math.ceil(size / SMALLEST))
        for (const suffix of SUFFIXES) {
          await rename(path.join(folder, name + suffix), path.join(folder, `${name}${suffix}.damaged`)).catch(() => {})
        }
      }
    }
    if (this.#unsealed.length > 0) this.#sealAll()
  }

  async #remove (name: string): Promise<void> {
    for (const suffix of SUFFIXES) await rm(path.join(this.#options.folder, name + suffix), { force: true })
  }

  /** The files in the order of their records. */
  #ranges (): FileRange[] {
    const ranges = this.#sealed.map(({ file, firstNumber, lastNumber, firstTimeUs, lastTimeUs }) => ({
      file, first: firstNumber, last: lastNumber, firstTimeUs, lastTimeUs
    }))
    const files = [...this.#unsealed, ...this.#current === undefined ? [] : [this.#current]]
    const open = files.map(({ name, lastNumber }) => (
      { file: name, first: firstNumberOf(name)!, last: lastNumber, firstTimeUs: 0, lastTimeUs: Infinity }
    ))
    return [...ranges, ...open]
  }
}

const SMALLEST = 100 // bytes that a record takes at least
const SUFFIXES = ['', '-wal', '-shm'] // of a file that is written to

const byNumber = (a: string, b: string): number => firstNumberOf(a)! - firstNumberOf(b)! || a.localeCompare(b)

const positionIn = (text: string): Position | null => text === '' ? null : asPosition(JSON.parse(text)) ?? null

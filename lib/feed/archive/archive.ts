import { createReadStream } from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGzip } from 'node:zlib'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { Batch } from '../sinks/sink.ts'
import { parseManifest, type Manifest } from '../store/manifest.ts'
import { ArchivedFiles } from './archived-files.ts'

const FIRST = 1_000 // ms
const LONGEST = 60_000 // ms between tries

export interface ArchiveParts {
  readonly objects: ObjectStore
  /** What keys begin with: empty, or with a slash at its end */
  readonly prefix: string
  /** Where the sealed files are */
  readonly folder: string
  /** For files that are read back */
  readonly scratch: string
  readonly log: Log
}

/**
 * Sealed files of records, gzipped, in a bucket or a folder: `<prefix><file>.gz`, and `<prefix><file>.json` with its
 * manifest, which is written when the file was read back and is what was sealed. What has no manifest is not archived.
 */
export class Archive {
  /** Called when a file is archived: it may go here */
  onStored: () => void = () => {}
  stored = 0
  failures = 0
  /** Why the next file cannot be archived, if it cannot */
  problem: string | undefined
  readonly #parts: ArchiveParts
  readonly #files: ArchivedFiles
  readonly #stop = new AbortController()
  readonly #known = new Set<string>()
  readonly #waiting: Manifest[] = []
  #running: Promise<void> | undefined

  constructor (parts: ArchiveParts) {
    this.#parts = parts
    this.#files = new ArchivedFiles(parts)
  }

  /** Files that are not archived yet. */
  get waiting (): number { return this.#waiting.length }

  /** Whether a file is archived. */
  has (file: string): boolean { return this.#known.has(file) }

  /** A file was sealed, or is there from before. */
  add (manifest: Manifest): void {
    this.#waiting.push(manifest)
    this.#running ??= this.#run().finally(() => { this.#running = undefined })
  }

  /** The records after a number, if a file that has them is archived. */
  async records (after: number, limit: number): Promise<Batch> { return await this.#files.records(after, limit) }

  /** The first number that is archived; undefined when none is. */
  async firstNumber (): Promise<number | undefined> { return await this.#files.firstNumber() }

  async close (): Promise<void> {
    this.#stop.abort()
    await this.#running
    await this.#files.close()
    await this.#parts.objects.close()
  }

  async #run (): Promise<void> {
    const { signal } = this.#stop
    const { log } = this.#parts
    for (let wait = FIRST; this.#waiting.length > 0 && !signal.aborted;) {
      const [manifest] = this.#waiting
      try {
        await this.#store(manifest!)
        if (this.problem !== undefined) log.info({}, 'the feed archives again')
        this.problem = undefined
        this.#waiting.shift()
        this.#known.add(manifest!.file)
        wait = FIRST
        this.onStored()
      } catch (error) {
        if (signal.aborted) return
        this.failures++
        if (this.problem === undefined) {
          log.error(
            { file: manifest!.file, err: error }, `the feed cannot archive a file, and tries again: ${messageOf(error)}`
          )
        }
        this.problem = messageOf(error)
        await sleep(wait, undefined, { signal }).catch(() => {})
        wait = Math.min(LONGEST, wait * 2)
      }
    }
  }

  async #store (manifest: Manifest): Promise<void> {
    const { objects, prefix, folder, log } = this.#parts
    const { signal } = this.#stop
    const key = prefix + manifest.file
    const there = await objects.read(`${key}.json`, { signal })
    if (there !== null && parseManifest(there.toString()).sha256 === manifest.sha256) return
    const gzip = createGzip()
    const read = pipeline(createReadStream(path.join(folder, manifest.file)), gzip)
    read.catch(() => {}) // looked at below
    await objects.put(`${key}.gz`, gzip, { signal })
    await read
    const { sha256 } = await this.#files.measure(manifest.file)
    if (sha256 !== manifest.sha256) throw new Error(`${key}.gz came back as something else than what was sealed`)
    await objects.put(`${key}.json`, Buffer.from(JSON.stringify(manifest, null, 2)), { signal })
    this.#files.changed()
    this.stored++
    log.info({ key, rows: manifest.rows }, 'the feed archived a file of records')
  }
}

import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { allObjects, type ObjectStore } from '../../objects/object-store.ts'
import type { Batch } from '../sinks/sink.ts'
import { firstNumberOf, parseManifest, type Manifest } from '../store/manifest.ts'
import { Rows, type FileRange } from '../store/rows.ts'

export interface ArchivedFilesParts {
  readonly objects: ObjectStore
  readonly prefix: string
  /** For the one file that is being read */
  readonly scratch: string
}

/** Reads what is archived. */
export class ArchivedFiles {
  readonly #parts: ArchivedFilesParts
  readonly #rows: Rows
  #names: string[] | undefined
  #open: FileRange | undefined

  constructor (parts: ArchivedFilesParts) {
    this.#parts = parts
    this.#rows = new Rows(
      parts.scratch, () => this.#open === undefined ? [] : [this.#open], () => this.#open?.last ?? 0
    )
  }

  /** There are others now. */
  changed (): void { this.#names = undefined }

  /** The names of the files that are archived, in the order of their records. */
  async names (): Promise<readonly string[]> {
    if (this.#names !== undefined) return this.#names
    const { objects, prefix } = this.#parts
    const names: string[] = []
    for await (const { key } of allObjects(objects, prefix)) {
      const name = key.slice(prefix.length).replace(/\.json$/, '')
      if (key.endsWith('.json') && firstNumberOf(name) !== undefined) names.push(name)
    }
    this.#names = names.sort((a, b) => firstNumberOf(a)! - firstNumberOf(b)!)
    return this.#names
  }

  async firstNumber (): Promise<number | undefined> {
    const [name] = await this.names()
    return name === undefined ? undefined : firstNumberOf(name)
  }

  /** @throws Error for a manifest that is none; RelayError RELAY_STORE_UNAVAILABLE */
  async manifest (name: string): Promise<Manifest> {
    const { objects, prefix } = this.#parts
    const bytes = await objects.read(`${prefix}${name}.json`)
    if (bytes === null) throw new Error(`${prefix}${name}.json is gone`)
    return parseManifest(bytes.toString())
  }

  /** Reads a file through. @returns bytes, and the SHA-256 in hex, of what was sealed */
  async measure (name: string): Promise<{ sha256: string, bytes: number }> {
    const hash = createHash('sha256')
    let bytes = 0
    await this.#read(name, async gunzip => {
      for await (const chunk of gunzip) {
        bytes += (chunk as Buffer).length
        hash.update(chunk as Buffer)
      }
    })
    return { sha256: hash.digest('hex'), bytes }
  }

  /** The records after a number; empty when no file has them. */
  async records (after: number, limit: number): Promise<Batch> {
    if (this.#open === undefined || after < this.#open.first - 1 || after >= this.#open.last) await this.#fetch(after)
    if (this.#open === undefined) return []
    return (await this.#rows.records(after, limit)).records
  }

  async close (): Promise<void> {
    await this.#rows.close()
    await rm(this.#parts.scratch, { recursive: true, force: true })
  }

  /** Gets the file with the next record after a number. */
  async #fetch (after: number): Promise<void> {
    if (this.#open !== undefined) await this.#drop(this.#open.file)
    this.#open = undefined
    const names = await this.names()
    const index = Math.max(0, names.findLastIndex(name => firstNumberOf(name)! <= after + 1))
    for (const name of names.slice(index)) {
      const { firstNumber: first, lastNumber: last, firstTimeUs, lastTimeUs } = await this.manifest(name)
      if (last <= after) continue
      const { scratch } = this.#parts
      await mkdir(scratch, { recursive: true })
      const part = path.join(scratch, `${name}.part`)
      await this.#read(name, async gunzip => { await pipeline(gunzip, createWriteStream(part) as Writable) })
      await rename(part, path.join(scratch, name))
      this.#open = { file: name, first, last, firstTimeUs, lastTimeUs }
      return
    }
  }

  async #drop (name: string): Promise<void> {
    await this.#rows.forget(name)
    await rm(path.join(this.#parts.scratch, name), { force: true })
  }

  async #read (name: string, use: (gunzip: Readable) => Promise<void>): Promise<void> {
    const { objects, prefix } = this.#parts
    const key = `${prefix}${name}.gz`
    const object = await objects.open(key)
    if (object === null) throw new Error(`${key} is gone`)
    try {
      const gunzip = createGunzip()
      await Promise.all([pipeline(object.stream(), gunzip), use(gunzip)])
    } finally {
      await object.close()
    }
  }
}

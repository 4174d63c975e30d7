import {
  constants, fstatSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync, type BigIntStats
} from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import path from 'node:path'
import type { Operation } from './disk.ts'

/** A file's or folder's own name, which no later one of the same number has. */
const identity = ({ ino, birthtimeNs }: BigIntStats): string => `${ino}:${birthtimeNs}`
const statOf = (file: string): BigIntStats => lstatSync(file, { bigint: true })

/** Whether the system syncs each write to an open file: O_DSYNC, by its own word (proc(5), `/proc/pid/fdinfo`). */
function syncsWrites ({ fd }: FileHandle): boolean {
  const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!
  return (parseInt(flags, 8) & constants.O_DSYNC) !== 0
}

/**
 * A disk that keeps what was synced and nothing else: a file's contents as of its last fdatasync (or write, where that
 * is one), a folder's names as of its last fsync. What a system does between that and keeping everything is its own
 * affair, so images of the disk can also be made with a random part of the rest.
 */
export class UnkindDisk {
  readonly #root: string
  readonly #contents = new Map<string, Buffer>()
  readonly #names = new Map<string, Map<string, string>>()
  /** Whether it is a folder. */
  readonly #kinds = new Map<string, boolean>()

  /** @param root a folder that is on disk with all that is in it */
  constructor (root: string) {
    this.#root = root
    this.#keepAll(root)
  }

  /** To be told of each operation when it has run. */
  ran ({ name, handle }: Operation): void {
    if (handle === undefined ||
        !(name === 'handle.datasync' || name === 'handle.sync' || (name === 'handle.write' && syncsWrites(handle)))) {
      return
    }
    const stat = fstatSync(handle.fd, { bigint: true })
    const file = `/proc/self/fd/${handle.fd}`
    if (stat.isDirectory()) this.#keepNames(stat, file)
    else this.#contents.set(identity(stat), readFileSync(file))
  }

  /**
   * Writes what is there after a power cut now.
   * @param isKept whether something that was not synced is there all the same
   */
  image (to: string, isKept: () => boolean): string {
    this.#write(identity(statOf(this.#root)), this.#root, to, isKept)
    return to
  }

  #keepAll (folder: string): void {
    this.#keepNames(statOf(folder), folder)
    for (const name of this.#namesIn(folder).keys()) {
      const file = path.join(folder, name)
      if (statOf(file).isDirectory()) this.#keepAll(file)
      else this.#contents.set(identity(statOf(file)), readFileSync(file))
    }
  }

  #keepNames (stat: BigIntStats, folder: string): void {
    this.#names.set(identity(stat), this.#namesIn(folder))
  }

  #namesIn (folder: string): Map<string, string> {
    // without its process it is nothing
    const names = readdirSync(folder).filter(name => !statOf(path.join(folder, name)).isSocket())
    return new Map(names.map(name => {
      const stat = statOf(path.join(folder, name))
      this.#kinds.set(identity(stat), stat.isDirectory())
      return [name, identity(stat)]
    }))
  }

  /** @param now where the folder is now, if it is anywhere */
  #write (folder: string, now: string | undefined, to: string, isKept: () => boolean): void {
    mkdirSync(to)
    const synced = this.#names.get(folder) ?? new Map<string, string>()
    const current = now === undefined ? synced : this.#namesIn(now)
    for (const name of new Set([...synced.keys(), ...current.keys()])) {
      const isSame = synced.get(name) === current.get(name)
      const entry = isSame || !isKept() ? synced.get(name) : current.get(name)
      if (entry === undefined) continue
      const there = now !== undefined && current.get(name) === entry ? path.join(now, name) : undefined
      if (this.#kinds.get(entry) === true) this.#write(entry, there, path.join(to, name), isKept)
      else writeFileSync(path.join(to, name), this.#contentsOf(entry, there, isKept))
    }
  }

  #contentsOf (file: string, now: string | undefined, isKept: () => boolean): Buffer {
    const synced = this.#contents.get(file) ?? Buffer.alloc(0)
    return now !== undefined && isKept() ? readFileSync(now) : synced
  }
}

import { randomUUID } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { makeFolder } from '../../objects/atomic-file.ts'

/** Locks that this process holds: where a process's start cannot be seen, one of its own looks like an earlier one's. */
const held = new Set<string>()

/**
 * Marks a folder as in use, by a file with the pid and the start time of who uses it. A lock of a process that is gone,
 * also one whose pid is another's by now, is taken over. Processes of other machines or containers are not seen.
 */
export class FolderLock {
  readonly #folder: string
  readonly #file: string
  #text = ''

  constructor (folder: string) {
    this.#folder = path.resolve(folder)
    this.#file = path.join(this.#folder, 'lock')
  }

  /** Makes the folder. @throws RelayError RELAY_STORAGE_FAILED with its path: in use, or not writable */
  async take (): Promise<void> {
    if (held.has(this.#file)) throw this.#inUse('another relay of this process')
    held.add(this.#file)
    try {
      await makeFolder(this.#folder)
      this.#text = `${process.pid} ${await startOf(process.pid)}\n`
      await this.#removeStale()
      await this.#write()
    } catch (error) {
      held.delete(this.#file)
      if (error instanceof RelayError) throw error
      throw new RelayError('RELAY_STORAGE_FAILED', `storage ${this.#folder}: ${messageOf(error)}`, { cause: error })
    }
  }

  /** Gives the folder up; a lock that somebody else has put there meanwhile stays. */
  async release (): Promise<void> {
    if (await read(this.#file) === this.#text) await rm(this.#file, { force: true })
    held.delete(this.#file)
  }

  async #removeStale (): Promise<void> {
    const found = await read(this.#file)
    if (found === undefined) return
    const owner = parse(found)
    if (await isAlive(owner)) throw this.#inUse(owner.pid === process.pid ? 'another relay of this process' : `process ${owner.pid}`)
    // somebody else may have done the same and taken the folder by now: what is removed must be what was looked at
    const aside = `${this.#file}.${randomUUID()}`
    await rename(this.#file, aside)
    const stale = await read(aside) === found
    if (stale) await rm(aside)
    else await rename(aside, this.#file)
    if (!stale) throw this.#inUse('a process that just started')
  }

  async #write (): Promise<void> {
    try {
      await writeFile(this.#file, this.#text, { flag: 'wx' })
    } catch (error) {
      if (codeOf(error) === 'EEXIST') throw this.#inUse('a process that just started')
      throw error
    }
    // seen before it was written, it looked like garbage and may have been replaced
    if (await read(this.#file) !== this.#text) throw this.#inUse('a process that just started')
  }

  #inUse (by: string): RelayError {
    return new RelayError('RELAY_STORAGE_FAILED', `storage ${this.#folder}: in use by ${by}, says ${this.#file}`)
  }
}

interface Owner { pid: number, started: string }

async function read (file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function parse (text: string): Owner {
  const [pid = '', started = ''] = text.trim().split(' ')
  return { pid: Number(pid), started }
}

async function isAlive ({ pid, started }: Owner): Promise<boolean> {
  const now = await startOf(pid)
  if (now === undefined) return false
  // only that a process of this pid runs can be seen; in a container our own pid was our predecessor's
  if (now === '-' || started === '-') return pid !== process.pid
  return now === started
}

/** When a process started, as text that no later process of the same pid has; `-` where only that it runs can be seen. */
async function startOf (pid: number): Promise<string | undefined> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  try {
    // proc(5): field 22, counted behind the name in parentheses, which may hold anything
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8')
    return `${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}@${boot.trim()}`
  } catch {
    return isRunning(pid) ? '-' : undefined // no /proc here, or no such process
  }
}

function isRunning (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

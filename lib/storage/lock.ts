import { readFile, rm, writeFile } from 'node:fs/promises'
import { RelayError, codeOf, messageOf } from '../errors.ts'

/** Locks that this process holds: a relay may be embedded twice, and after a restart in a container the pid is the same. */
const held = new Set<string>()

/**
 * Marks a folder as in use, by a file with the pid and the start time of who uses it. A lock of a process that is gone,
 * also one whose pid is another's by now, is taken over.
 */
export class FolderLock {
  readonly #file: string

  constructor (file: string) {
    this.#file = file
  }

  /** @throws RelayError RELAY_STORAGE_FAILED when it is in use */
  async take (): Promise<void> {
    const inUse = (by: string, cause?: unknown) => new RelayError('RELAY_STORAGE_FAILED', `storage ${this.#file}: in use by ${by}`, { cause })
    if (held.has(this.#file)) throw inUse('another relay of this process')
    try {
      const owner = parse(await readFile(this.#file, 'utf8'))
      if (owner.pid !== process.pid && owner.started === await startOf(owner.pid)) throw inUse(`process ${owner.pid}`)
      await rm(this.#file, { force: true })
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error
    }
    try {
      await writeFile(this.#file, `${process.pid} ${await startOf(process.pid)}\n`, { flag: 'wx' })
    } catch (error) {
      throw inUse(`a process that just started: ${messageOf(error)}`, error)
    }
    held.add(this.#file)
  }

  async release (): Promise<void> {
    held.delete(this.#file)
    await rm(this.#file, { force: true })
  }
}

function parse (text: string): { pid: number, started: string } {
  const [pid = '', started = ''] = text.trim().split(' ')
  return { pid: Number(pid), started }
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

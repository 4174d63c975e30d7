import { readFile, readdir } from 'node:fs/promises'
import { codeOf } from './errors.ts'

// What the process has of the machine, as figures that can also be had when it has run out of file descriptors.

const OPEN = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd'
const LIMITS = '/proc/self/limits'

let memory = process.memoryUsage()

/** Memory in bytes; when it cannot be read (on Linux that takes a descriptor), as it was last. */
export function memoryUsage (): NodeJS.MemoryUsage {
  try {
    memory = process.memoryUsage()
  } catch {} // the last figures are told instead
  return memory
}

/** Whether an error says that the process (EMFILE) or the machine (ENFILE) can open nothing more. */
export const isOutOfDescriptors = (error: unknown): boolean => ['EMFILE', 'ENFILE'].includes(codeOf(error) ?? '')

/** File descriptors that are open, and how many may be; undefined where that is not to be known (Windows). */
export async function descriptors (): Promise<{ open: number, most: number } | undefined> {
  const most = await mostDescriptors()
  if (most === undefined) return undefined
  try {
    return { open: (await readdir(OPEN)).length - 1, most } // without the listing's own
  } catch (error) {
    return isOutOfDescriptors(error) ? { open: most, most } : undefined
  }
}

let known: number | undefined

/**
 * The soft limit of `ulimit -n`, which Node raises to the hard one when it starts. It is read anew where that is cheap.
 */
async function mostDescriptors (): Promise<number | undefined> {
  if (process.platform === 'linux') {
    try {
      known = openFilesLimit(await readFile(LIMITS, 'utf8'))
      return known
    } catch {} // out of descriptors, or no /proc: what is known holds
  }
  known ??= reportedLimit()
  return known
}

/** The soft limit in `/proc/<pid>/limits` (proc_pid_limits(5)). */
export function openFilesLimit (limits: string): number {
  const limit = /^Max open files +(\S+)/m.exec(limits)?.[1]
  return limit === 'unlimited' ? Infinity : Number(limit)
}

/** The same from Node's diagnostic report, which any system with such limits has. */
function reportedLimit (): number | undefined {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft: number | 'unlimited' } } }
  const soft = userLimits?.open_files?.soft
  return soft === 'unlimited' ? Infinity : soft
}

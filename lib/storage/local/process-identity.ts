import { readFile, readlink } from 'node:fs/promises'
import os from 'node:os'
import { codeOf } from '../../errors.ts'

/**
 * A process: its id, when it started (text that no later process of the id has), and where its id means something: the
 * kernel, by its boot id, and the PID namespace. `-` is what cannot be told here.
 */
export interface ProcessIdentity { pid: number, started: string, boot: string, namespace: string, host: string }

/** This process. */
export async function ownIdentity (): Promise<ProcessIdentity> {
  const { pid } = process
  const [started, boot, namespace] = await Promise.all([startOf(pid), bootId(), pidNamespace()])
  return { pid, started: started ?? '-', boot, namespace, host: os.hostname() }
}

/** Whether a process is known to be gone; false also where it cannot be known, as in other containers and machines. */
export async function isGone ({ pid, started, boot, namespace }: ProcessIdentity): Promise<boolean> {
  // a namespace whose name is another's by now has no process left
  if (boot !== await bootId() || namespace !== await pidNamespace()) return false
  const now = await startOf(pid)
  return now === undefined || (now !== '-' && started !== '-' && now !== started)
}

async function bootId (): Promise<string> {
  // elsewhere there are no containers, and a machine is told by its name
  return await orUnknown(readFile('/proc/sys/kernel/random/boot_id', 'utf8')) ?? `host ${os.hostname()}`
}

async function pidNamespace (): Promise<string> {
  return await orUnknown(readlink('/proc/self/ns/pid')) ?? '-'
}

/** When a process started; `-` where only that it runs can be seen, undefined when it does not. */
async function startOf (pid: number): Promise<string | undefined> {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined
  // proc(5): field 22, counted behind the name in parentheses, which may hold anything
  const stat = await orUnknown(readFile(`/proc/${pid}/stat`, 'utf8'))
  if (stat !== undefined) return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return isRunning(pid) ? '-' : undefined // no /proc here, or no such process
}

function isRunning (pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

async function orUnknown (read: Promise<string>): Promise<string | undefined> {
  return await read.then(text => text.trim(), () => undefined)
}

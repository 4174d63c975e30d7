import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

// What the kernel says of processes (proc(5)): CPU in ticks of 10 ms as a rule, memory in kB. Linux only.

const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** From `/proc/<pid>/stat`: the parent, and CPU seconds of all its threads; undefined when it is gone. */
function stat (pid: number): { parent: number, cpu: number } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return { parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) / TICKS }
  } catch {
    return undefined // it ended between two reads
  }
}

/** A process and all below it, so that a server of several processes is counted whole. */
function tree (root: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    const parent = /^\d+$/.test(name) ? stat(Number(name))?.parent : undefined
    if (parent !== undefined) parents.set(Number(name), parent)
  }
  const found = [root]
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child)
  return found
}

/** CPU seconds so far of a process and its children. */
export const cpuOf = (root: number): number => tree(root).reduce((sum, pid) => sum + (stat(pid)?.cpu ?? 0), 0)

/** Resident memory of a process and its children, kB. */
export function memoryOf (root: number): number {
  return tree(root).reduce((sum, pid) => {
    try {
      return sum + Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
    } catch {
      return sum // gone
    }
  }, 0)
}

/** CPU seconds that the whole machine has been busy. */
export function machineCpu (): number {
  const [user, nice, system, , , irq, softirq, steal] =
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/\s+/).slice(1).map(Number)
  return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS
}

import { execFileSync } from 'node:child_process'
import fs, { open, rm, type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'
import { scratch } from '../../scratch.ts'

/** One operation on files that is about to run: `open`, `rename`, … or, of an open file, `handle.datasync`, … */
export interface Operation { name: string, handle?: FileHandle | undefined }

type Hook = (operation: Operation, run: () => Promise<unknown>) => Promise<unknown>

const CALLS = ['mkdir', 'open', 'readFile', 'readdir', 'rename', 'rm', 'writeFile'] as const
const OF_A_HANDLE = ['appendFile', 'datasync', 'sync', 'truncate', 'write', 'writeFile'] as const

/** Runs a hook around every operation of node:fs/promises from now on, by whomever, until the test ends or `stop`. */
export async function onEachOperation (t: Test, hook: Hook): Promise<{ stop: () => void }> {
  const probe = await open(os.devNull)
  const prototype = Object.getPrototypeOf(probe)
  await probe.close()
  const restore: Array<() => void> = []
  const wrap = (owner: Record<string, any>, name: string, shown: string): void => {
    const original = owner[name]
    owner[name] = async function (this: unknown, ...args: unknown[]) {
      return await hook(
        { name: shown, handle: owner === prototype ? this as FileHandle : undefined },
        async () => await original.apply(this, args)
      )
    }
    restore.push(() => { owner[name] = original })
  }
  for (const name of CALLS) wrap(fs, name, name)
  for (const name of OF_A_HANDLE) wrap(prototype, name, `handle.${name}`)
  syncBuiltinESMExports() // the named imports of others
  const stop = (): void => {
    for (const undo of restore.splice(0)) undo()
    syncBuiltinESMExports()
  }
  t.teardown(stop)
  return { stop }
}

/** An error as the system gives it. */
export const systemError = (code: string): Error => Object.assign(new Error(`${code}: on purpose`), { code })

/** Holds operations of these names back; `release` lets those that wait and all that follow run. */
export async function hold (t: Test, ...names: string[]): Promise<{ held: () => number, release: () => void }> {
  let waiting = 0
  let release = (): void => {}
  const released = new Promise<void>(resolve => { release = resolve })
  t.teardown(release)
  await onEachOperation(t, async (operation, run) => {
    if (names.includes(operation.name)) {
      waiting++
      await released
    }
    return await run()
  })
  return { held: () => waiting, release }
}

/** Why a test that needs a command to succeed is to be skipped. */
function unless (reason: string, command: string, ...args: string[]): string | false {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return false
  } catch {
    return reason
  }
}

export const noPrlimit = unless('no prlimit here', 'prlimit', '--version')
export const noMount = unless('may not mount here', 'unshare', '--mount', 'mount', '-t', 'tmpfs', 'tmpfs', os.tmpdir())

export const noUnshare = unless(
  'may not make namespaces here', 'unshare', '--pid', '--fork', '--mount-proc', '--net', '--uts', 'true'
)

/**
 * Has the system refuse to this process what would make a file longer, as a full disk does: in the middle of a write.
 */
export function limitFileSize (t: Test, bytes: number): { lift: () => void } {
  if (process.listenerCount('SIGXFSZ', onTooLong) === 0) process.on('SIGXFSZ', onTooLong)
  const set = (limit: string): void => { execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${limit}:`]) }
  const lift = (): void => { set('unlimited') }
  t.teardown(lift)
  set(String(bytes))
  return { lift }
}

const onTooLong = (): void => {} // Node ignores the signal; tap has it end the process unless somebody else listens

/** A file system of its own with so many bytes; see `noMount`. */
export async function smallDisk (t: Test, bytes: number): Promise<string> {
  const folder = await scratch(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder])
  t.teardown(() => { execFileSync('umount', ['--lazy', folder]) })
  return folder
}

/** Fills a file system up, but for so many bytes. */
export async function fill (disk: string, left: number): Promise<{ free: (bytes: number) => Promise<void> }> {
  const { bavail, bsize } = await fs.statfs(disk)
  const filler = path.join(disk, 'filler')
  let size = bavail * bsize - left
  await fs.writeFile(filler, Buffer.alloc(size))
  return {
    async free (bytes) {
      size -= bytes
      if (size > 0) await fs.truncate(filler, size)
      else await rm(filler)
    }
  }
}

/** Random numbers below `n` that are the same for the same seed (mulberry32). */
export function random (seed: number): (n: number) => number {
  let state = seed
  return n => {
    state = state + 0x6d2b79f5 | 0
    let mixed = Math.imul(state ^ state >>> 15, 1 | state)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return ((mixed ^ mixed >>> 14) >>> 0) % n
  }
}

/** Seeds to run with: `SEED=7` replays one. */
export const seeds = (count: number): number[] =>
  process.env['SEED'] === undefined ? Array.from({ length: count }, (_, n) => n + 1) : [Number(process.env['SEED'])]

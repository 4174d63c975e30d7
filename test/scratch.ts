import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'

const folders: string[] = []
// last of all: a relay that is still being closed writes to its folder
process.on('exit', () => { for (const folder of folders) rmSync(folder, { recursive: true, force: true }) })

/** A folder that goes when the test file and everything it started are done; null is a folder in it. */
export async function scratch (_t: Test, files: Record<string, Uint8Array | string | null> = {}): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'relay-test-'))
  folders.push(folder)
  for (const [name, contents] of Object.entries(files)) {
    await (contents === null ? mkdir(path.join(folder, name)) : writeFile(path.join(folder, name), contents))
  }
  return folder
}

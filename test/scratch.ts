import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import type { Test } from 'tap'

/** A folder that goes when the test and everything it started are done (tap's own goes before its teardowns); null is a folder in it. */
export async function scratch (t: Test, files: Record<string, Uint8Array | string | null> = {}): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'relay-test-'))
  t.teardown(async () => { await rm(folder, { recursive: true, force: true }) })
  for (const [name, contents] of Object.entries(files)) {
    await (contents === null ? mkdir(path.join(folder, name)) : writeFile(path.join(folder, name), contents))
  }
  return folder
}

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { newId } from './clients/automerge-history.ts'

/** Puts a document where automerge-repo's nodefs storage looks for it: under the hash of its heads. */
export async function store (folder: string, id: string, document: Uint8Array, head: string): Promise<void> {
  const to = path.join(folder, id.slice(0, 2), id.slice(2), 'snapshot')
  await mkdir(to, { recursive: true })
  await writeFile(path.join(to, createHash('sha256').update(head).digest('hex')), document)
}

/** A storage folder with so many documents that are all the same, made once and kept with the temporary files. */
export async function storedDocuments (count: number, document: Uint8Array, head: string): Promise<string> {
  const folder = path.join(os.tmpdir(), 'relay-bench', `stored-${count}`)
  const complete = `${folder}.complete`
  if (existsSync(complete)) return folder
  console.error(`storing ${count} documents in ${folder}, once`)
  for (let n = 0; n < count; n += 100) {
    await Promise.all(Array.from({ length: 100 }, async () => { await store(folder, newId(), document, head) }))
  }
  await writeFile(complete, '')
  return folder
}

import { statfs } from 'node:fs/promises'
import { FolderReader } from './folder-reader.ts'
import { storedBundles, type BundlePlace } from './stored-bundles.ts'

export interface Stat {
  storage: string
  /** What a storage calls itself; undefined for a folder no relay has used. */
  storageId: string | undefined
  documents: number
  /** Documents that have been deleted. */
  deleted: number
  /** Files and bytes of the documents, and the largest ones. */
  snapshots: number
  incrementals: number
  documentBytes: number
  largest: Array<{ id: string, bytes: number, files: number }>
  /** What is not in files yet. */
  journal: { segments: number, records: number, bytes: number }
  bundles: number
  bundleBytes: number
  /** Of the file system. */
  freeBytes: number
}

const LARGEST = 10

/** What is stored; sizes in bytes. A relay may be using the folder. */
export async function readStat ({ storage, ...place }: BundlePlace & { storage: string }): Promise<Stat> {
  const reader = new FolderReader(storage)
  const { folder } = reader.folder
  const counts = { documents: 0, deleted: 0, snapshots: 0, incrementals: 0, documentBytes: 0 }
  let largest: Stat['largest'] = []
  for await (const { id, files, pending, isDeleted } of reader.documents()) {
    if (isDeleted) counts.deleted++
    if (files.length + pending.length === 0) continue
    const bytes = files.reduce((sum, { data }) => sum + data.length, 0)
    const snapshots = files.filter(({ key }) => key[1] === 'snapshot').length
    counts.documents++
    counts.snapshots += snapshots
    counts.incrementals += files.length - snapshots
    counts.documentBytes += bytes
    largest.push({ id, bytes, files: files.length })
    if (largest.length > 2 * LARGEST) largest = top(largest)
  }
  const { segments, records, bytes } = reader.journal.facts()
  const { bavail, bsize } = await statfs(folder)
  const id = await reader.folder.load(['storage-adapter-id'])
  return {
    storage: folder,
    storageId: id === undefined ? undefined : Buffer.from(id).toString().trim(),
    ...counts,
    largest: top(largest),
    journal: { segments, records, bytes },
    ...await bundleStat(place),
    freeBytes: bavail * bsize
  }
}

const top = (some: Stat['largest']): Stat['largest'] => some.sort((a, b) => b.bytes - a.bytes).slice(0, LARGEST)

async function bundleStat (place: BundlePlace): Promise<{ bundles: number, bundleBytes: number }> {
  let [bundles, bundleBytes] = [0, 0]
  for await (const { open } of storedBundles(place)) {
    const opened = await open()
    if (opened === null) continue
    bundles++
    bundleBytes += opened.size
    await opened.close()
  }
  return { bundles, bundleBytes }
}

/** For people. */
export function statText ({ storage, storageId, largest, journal, freeBytes, ...counts }: Stat): string {
  const rows: Array<[string, string]> = [
    ['storage', `${storage} (${storageId ?? 'not used by a relay yet'})`],
    [
      'documents',
      `${counts.documents}, ${counts.documentBytes} bytes in ${counts.snapshots} snapshots and ` +
        `${counts.incrementals} incrementals; ${counts.deleted} deleted`
    ],
    ['journal', `${journal.records} records, ${journal.bytes} bytes in ${journal.segments} segments`],
    ['bundles', `${counts.bundles}, ${counts.bundleBytes} bytes`],
    ['free', `${freeBytes} bytes`],
    ...largest.map(({ id, bytes, files }, n): [string, string] => [
      n === 0 ? 'largest' : '', `${id}  ${bytes} bytes in ${files} files`
    ])
  ]
  return rows.map(([name, value]) => `${name.padEnd(10)}${value}\n`).join('')
}

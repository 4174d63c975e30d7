import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as Automerge from '@automerge/automerge'
import tap, { type Test } from 'tap'
import { AutomergePool } from '../../../lib/automerge/workers/pool.ts'
import { Bundle } from '../../../lib/bundles/bundle.ts'
import { Bundles } from '../../../lib/bundles/bundles.ts'
import { documentPath } from '../../../lib/bundles/file/entry-path.ts'
import type { BundleStore } from '../../../lib/bundles/stores/store.ts'
import type { DocumentId } from '../../../lib/ids.ts'
import { Limits } from '../../../lib/limits/limits.ts'
import { silent } from '../../../lib/log.ts'
import { openLocalObjects } from '../../../lib/objects/open-objects.ts'
import { parseOptions, type RelayOptions as AllOptions } from '../../../lib/options.ts'
import { Documents } from '../../../lib/storage/stored-documents.ts'
import { RelayEngine } from '../../../lib/sync/relay-engine.ts'
import { scratch } from '../../scratch.ts'
import { sourceOf } from './source.ts'
import { FolderBundles, newId } from './stores/folder.ts'
import { zip, type Entries } from './zip.ts'

/** One for all tests of a file: a worker thread takes seconds to start under a TypeScript loader. */
export const automerge = new AutomergePool()
tap.teardown(() => automerge.close())

type Fields = Record<string, unknown>

export const save = (fields: Fields): Uint8Array => Automerge.save(Automerge.from(fields))
export const load = (bytes: Uint8Array): Automerge.Doc<Fields> => Automerge.load(bytes)
export const edit = (bytes: Uint8Array, change: (document: Fields) => void): Uint8Array =>
  Automerge.save(Automerge.change(load(bytes), change))

export const manifestOf = (rootId: DocumentId, more: Fields = {}): Buffer => Buffer.from(JSON.stringify({
  manifestVersion: 1,
  version: { major: 1, minor: 0 },
  rootId,
  entrypoints: [],
  networkUris: [],
  xNotes: null,
  xVendor: null,
  ...more
}))

export const entriesOf = (rootId: DocumentId, documents: Record<string, Uint8Array>, more: Fields = {}): Entries =>
  [
    ['manifest.json', manifestOf(rootId, more)],
    ...Object.entries(documents).map(([id, bytes]) => [documentPath(id as DocumentId), bytes] as const)
  ]

/** A bundle of a root that refers to one file. */
export async function sample (rootId = newId(), more: Fields = {}) {
  const fileId = newId()
  const documents = {
    [rootId]: save({ children: [{ name: 'file', pointer: fileId }] }), [fileId]: save({ content: 'of the file' })
  }
  return { rootId, fileId, documents, bytes: await zip(entriesOf(rootId, documents, more)) }
}

/** Opens them, and waits until nothing is under way any more. */
export async function openMerged (bundles: Bundles): Promise<void> {
  await bundles.open()
  await bundles.merged()
}

/**
 * All that is needed of a relay to take in and give out bundles, on a folder of its own; `restart` makes another on it.
 */
type RelayOptions = Omit<AllOptions, 'storage'> & { storage?: string }

export async function relay (t: Test, options: RelayOptions = {}, host: { store?: BundleStore } = {}) {
  const folder = options.storage ?? await scratch(t)
  const documents = new Documents({ folder, durability: 'fsync', automerge, log: silent })
  await documents.open()
  const nothing = () => {}
  const sync = new RelayEngine({
    forward: 'stored',
    documents,
    automerge,
    quotas: new Limits(parseOptions(options).limits, silent),
    limits: { maxBacklog: 1e8, handshakeTimeout: 1000, idleTimeout: 60_000 },
    meter: {
      messageIn: nothing,
      messageOut: nothing,
      syncLatency: nothing,
      refused: nothing,
      fallback: nothing,
      withheld: nothing
    },
    log: silent
  })
  const store = host.store ?? new FolderBundles({ folder })
  await store.check()
  const operations: string[] = []
  const bundles = new Bundles({
    store,
    objects: openLocalObjects(folder, silent),
    sync,
    automerge,
    options: parseOptions({ ...options, storage: folder }),
    log: silent,
    metrics: { operation: async (part, name, run) => { operations.push(`${part} ${name}`); return await run() } }
  })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await bundles.close()
    await sync.close()
    await documents.close()
  }
  t.teardown(close)
  return {
    folder,
    sync,
    store,
    bundles,
    operations,
    close,
    restart: async (more: RelayOptions = {}) => {
      await close()
      return await relay(t, { ...options, ...more, storage: folder }, host)
    }
  }
}

export const upload = (bytes: Uint8Array): Readable => Readable.from([bytes], { objectMode: false })

export async function readBundle (
  bytes: Uint8Array
): Promise<{ bundle: Bundle, documents: Map<DocumentId, Uint8Array> }> {
  const bundle = await Bundle.open(sourceOf(bytes), { maxEntries: 1e5, maxDocument: 1e9, maxInflated: 1e10 })
  const documents = new Map<DocumentId, Uint8Array>()
  for (const id of bundle.documents) documents.set(id, Buffer.concat(await bundle.chunks(id)))
  return { bundle, documents }
}

export const readLive = async (bundles: Bundles, id: DocumentId) =>
  await readBundle(await buffer(await bundles.live(id)))

export const headsOf = (bytes: Uint8Array): string[] => Automerge.getHeads(load(bytes))

/** Every file below a folder with its contents: what a refused upload must not change. */
export async function filesIn (folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = path.join(entry.parentPath, entry.name)
    files[path.relative(folder, file)] = await readFile(file, 'base64')
  }
  return files
}

const fixtureFolder = path.resolve('../shared/fixtures/tonk')

/** Real bundles made by Tonk, by name; none in a plain checkout. */
export const fixtures = async (): Promise<Array<[name: string, bytes: Buffer]>> => {
  if (!existsSync(fixtureFolder)) return []
  const names = (await readdir(fixtureFolder)).filter(name => name.endsWith('.tonk'))
  return await Promise.all(
    names.map(async name => [name, await readFile(path.join(fixtureFolder, name))] as [string, Buffer])
  )
}

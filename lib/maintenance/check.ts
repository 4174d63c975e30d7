import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { readChange } from '../automerge/format/change.ts'
import { CHUNK_TYPES, splitChunks, type Chunk } from '../automerge/format/chunk.ts'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import { Bundle, type BundleLimits } from '../bundles/bundle.ts'
import type { StoredBundle } from '../bundles/stores/store.ts'
import { RelayError, messageOf } from '../errors.ts'
import { isDocumentId, type DocumentId } from '../ids.ts'
import type { StoredChunk } from '../storage/chunk-store.ts'
import { isStorageKey, storagePath } from '../storage/key.ts'
import { FolderReader, type ReadDocument } from './folder-reader.ts'
import { namesIn } from './names-in.ts'
import { storedBundles, type BundleEntry, type BundlePlace } from './stored-bundles.ts'

/** Something that is not as it should be. `orphan`s belong to nothing and do no harm. */
export interface Finding {
  kind: 'folder' | 'document' | 'bundle' | 'journal' | 'orphan'
  /** What it is about: an id, a file. */
  name: string
  problem: string
  /** What has been done about it, if anything. */
  repair?: string
}

export interface CheckParts extends BundlePlace {
  /** Folder of the documents. */
  storage: string
  limits: BundleLimits
  automerge: AutomergePool
}

export interface CheckSummary { documents: number, bundles: number, findings: Finding[] }

/** What is wrong with a document. `damaged`: files with bytes that are no Automerge chunks. */
export interface DocumentProblem {
  document: ReadDocument
  damaged: Array<{ key: string[], problem: string }>
  problem: string | undefined
}

const OWN = /^(tmp|merged|owned|vault|journal|bundles|webhooks|damaged|blank\.tonk|lock(\..*)?|lost\+found)$/

/** Verifies everything that is stored; a relay may be using it, and nothing is written. */
export class Check {
  readonly #parts: CheckParts
  readonly #reader: FolderReader

  constructor (parts: CheckParts) {
    this.#parts = parts
    this.#reader = new FolderReader(parts.storage)
  }

  /** @param wrong is told of each document and each bundle with a problem; what it returns was done about it */
  async run (
    wrong: (problem: DocumentProblem | { bundle: BundleEntry }) => Promise<string | undefined> = async () => undefined
  ): Promise<CheckSummary> {
    const findings: Finding[] = []
    const note = (finding: Finding, repair?: string): void => {
      findings.push(repair === undefined ? finding : { ...finding, repair })
    }
    const { storage } = this.#parts
    if (!await this.#isStorage()) {
      note({
        kind: 'folder', name: storage, problem: 'is no storage folder: neither a storage id nor a document is in it'
      })
      return { documents: 0, bundles: 0, findings }
    }
    let [documents, bundles] = [0, 0]
    for await (const document of this.#reader.documents()) {
      if (document.isDeleted) continue
      documents++
      const found = await this.#document(document)
      if (found === undefined) continue
      const damages = found.damaged.map(({ key, problem }) => `${key.slice(1).join('/')}: ${problem}`)
      const problem = [...damages, found.problem].filter(Boolean).join('; ')
      note({ kind: 'document', name: document.id, problem }, await wrong(found))
    }
    for await (const entry of storedBundles(this.#parts)) {
      const opened = await entry.open()
      if (opened === null) continue // deleted meanwhile
      bundles++
      const problem = await this.#bundle(opened, entry.name)
      if (problem !== undefined) note({ kind: 'bundle', name: entry.name, problem }, await wrong({ bundle: entry }))
    }
    for (const name of this.#reader.journal.facts().damaged) {
      note({ kind: 'journal', name, problem: 'is damaged; what follows the damage is not read' })
    }
    for (const name of await namesIn(path.join(storage, 'journal'), '.damaged')) {
      note({ kind: 'orphan', name: `journal/${name}`, problem: 'a relay could not read it' })
    }
    for (const name of await this.#orphans(storage)) note({ kind: 'orphan', name, problem: 'belongs to nothing' })
    return { documents, bundles, findings }
  }

  /** Whether a relay or an automerge-repo has ever used the folder, or there is a document at least. */
  async #isStorage (): Promise<boolean> {
    if (await this.#reader.folder.load(['storage-adapter-id']) !== undefined) return true
    return !await this.#reader.isEmpty()
  }

  async #document (document: ReadDocument): Promise<DocumentProblem | undefined> {
    const damaged: DocumentProblem['damaged'] = []
    const whole: StoredChunk[] = []
    for (const file of document.files) {
      const problem = await problemOf(async () => { splitFile(file.data) })
      if (problem === undefined) whole.push(file)
      else damaged.push({ key: file.key, problem })
    }
    const chunks = [...whole.map(({ data }) => data), ...document.pending]
    // Automerge looks at every checksum and hash; the relay's own readers are stricter than what may be stored
    const problem = chunks.length === 0 ? undefined : await problemOf(() => this.#parts.automerge.inspect(chunks))
    if (damaged.length === 0 && problem === undefined) return undefined
    if (problem !== undefined) {
      for (const { key, data } of whole) {
        const its = await problemOf(() => this.#read(data))
        if (its !== undefined) damaged.push({ key, problem: its })
      }
    }
    return { document, damaged, problem }
  }

  /** Reads a file's chunks one by one, to find the one that is in the way. */
  async #read (file: Uint8Array): Promise<void> {
    for (const { type, bytes } of splitFile(file)) {
      if (type === CHUNK_TYPES.document) await this.#parts.automerge.read(bytes)
      else readChange(bytes)
    }
  }

  async #bundle (opened: StoredBundle, name: string): Promise<string | undefined> {
    const { limits, automerge } = this.#parts
    return await problemOf(async () => {
      try {
        const bundle = await Bundle.open(opened, limits)
        if (name !== `${bundle.rootId}.tonk`) {
          throw new RelayError('RELAY_BUNDLE_INVALID', `its root is ${bundle.rootId}`)
        }
        for (const id of bundle.documents) await automerge.inspect(await bundle.chunks(id))
      } finally {
        await opened.close()
      }
    })
  }

  /** Files that are in no place where anything looks. */
  async #orphans (storage: string): Promise<string[]> {
    const orphans: string[] = []
    for (const top of await readdir(storage, { withFileTypes: true })) {
      if (OWN.test(top.name)) continue
      if (!top.isDirectory()) {
        orphans.push(top.name)
        continue
      }
      for (const entry of await readdir(path.join(storage, top.name), { withFileTypes: true, recursive: true })) {
        if (entry.isDirectory()) continue
        const file = path.relative(storage, path.join(entry.parentPath, entry.name))
        if (!isInLayout(storage, file)) orphans.push(file)
      }
    }
    return orphans
  }
}

function splitFile (bytes: Uint8Array): Chunk[] {
  const chunks = splitChunks(bytes)
  if (chunks.length === 0) throw new RelayError('RELAY_DOCUMENT_INVALID', 'is empty')
  return chunks
}

/** Whether a file is where a key leads. */
function isInLayout (storage: string, file: string): boolean {
  const [first = '', rest = '', ...names] = file.split(path.sep)
  const key = [first + rest, ...names]
  return isStorageKey(key) &&
    (names.length === 2 || !isDocumentId(key[0])) && storagePath(storage, key) === path.join(storage, file)
}

/** What is wrong with what is looked at; that the disk fails is no finding. */
async function problemOf (look: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await look()
    return undefined
  } catch (error) {
    if (error instanceof RelayError && /_(INVALID|TOO_LARGE|CHANGED)$/.test(error.code)) return messageOf(error)
    throw error
  }
}

/** What the stored bundles hold of a document, for `Repair`: where else its changes may be. */
export async function * bundledChunks ({ limits, ...place }: CheckParts, id: DocumentId): AsyncGenerator<Uint8Array> {
  for await (const { open } of storedBundles(place)) {
    const opened = await open()
    try {
      const bundle = opened === null ? undefined : await Bundle.open(opened, limits)
      if (bundle?.documents.includes(id) === true) yield * await bundle.chunks(id)
    } catch (error) {
      if (!(error instanceof RelayError)) throw error // one that is damaged has nothing to offer
    } finally {
      await opened?.close()
    }
  }
}

import { access } from 'node:fs/promises'
import { RelayError, codeOf, messageOf } from '../errors.ts'
import { newDocumentId } from '../ids.ts'
import { writeAtomic } from '../objects/atomic-file.ts'
import { version } from '../version.ts'
import { documentPath } from './file/entry-path.ts'
import { MANIFEST_PATH } from './file/manifest.ts'
import { pack } from './file/pack.ts'

/**
 * Makes a blank bundle once: clients share it as a template, so it keeps its root's id.
 * @param scratch folder on the same file system
 * @throws RelayError RELAY_STORAGE_FAILED
 */
export async function keepBlank (file: string, scratch: string): Promise<void> {
  try {
    await access(file)
  } catch (missing) {
    if (codeOf(missing) !== 'ENOENT') throw failed(file, missing)
    const blank = await makeBlank(`fastify-automerge-relay v${version}`)
    await writeAtomic(file, blank, scratch).catch(error => { throw failed(file, error) })
  }
}

const failed = (file: string, error: unknown): RelayError =>
  new RelayError('RELAY_STORAGE_FAILED', `storage ${file}: ${messageOf(error)}`, { cause: error })

/**
 * A new bundle with an empty file system, to start from.
 * @param exportedFrom name and version of who makes it, for its manifest
 */
export async function makeBlank (exportedFrom: string): Promise<Buffer> {
  const rootId = newDocumentId()
  const now = new Date()
  const manifest = {
    manifestVersion: 1,
    version: { major: 1, minor: 0 },
    rootId,
    entrypoints: [],
    networkUris: [],
    xNotes: null,
    xVendor: { xTonk: { createdAt: now.toISOString(), exportedFrom } }
  }
  return await pack([
    [MANIFEST_PATH, Buffer.from(JSON.stringify(manifest, null, 2))],
    [documentPath(rootId), await makeRoot(now.getTime())]
  ])
}

/**
 * An empty root that each generation of Tonk's file system reads and extends (`packages/core/src/vfs`): a directory
 * (until October 2025), JSON text in `path_index` (until 9 December 2025), a map `entries`. The lists and maps have to
 * be there from the start: two clients that each made their own would lose one. Tonk reads only scalar strings.
 */
async function makeRoot (now: number): Promise<Uint8Array> {
  const Automerge = await import('@automerge/automerge') // once in a storage folder's life: not at every start
  const text = (value: string) => new Automerge.ImmutableString(value)
  return Automerge.save(Automerge.from<Record<string, unknown>>({
    type: text('directory'),
    name: text('/'),
    timestamps: { created: now, modified: now },
    children: [],
    path_index: text(JSON.stringify({ paths: {}, last_updated: now })),
    version: 2,
    last_updated: now,
    entries: {}
  }))
}

import path from 'node:path'
import { RelayError, codeOf } from '../../errors.ts'
import { newDocumentId } from '../../ids.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import { version } from '../../version.ts'
import { documentPath } from '../file/entry-path.ts'
import { MANIFEST_PATH } from '../file/manifest.ts'
import { pack } from '../file/pack.ts'
import type { NamedBundle } from './named-bundle.ts'

const KEY = 'blank.tonk'

/** The blank bundle that is kept beside the documents. */
export function keptBlank (objects: Pick<ObjectStore, 'open'>, storage: string): NamedBundle {
  return {
    name: path.join(storage, KEY),
    open: async () => {
      const stored = await objects.open(KEY, { changed: 'RELAY_BUNDLE_CHANGED' })
      if (stored === null) throw new RelayError('RELAY_FILE_NOT_FOUND', 'Bundle file not found')
      return stored
    }
  }
}

/**
 * Makes a blank bundle once: clients share it as a template, so it keeps its root's id.
 * @throws RelayError RELAY_STORAGE_FAILED
 */
export async function keepBlank (objects: Pick<ObjectStore, 'head' | 'put'>): Promise<void> {
  if (await objects.head(KEY) !== null) return
  const blank = await makeBlank(`fastify-automerge-relay v${version}`)
  await objects.put(KEY, blank, { replaces: null }).catch(error => {
    if (codeOf(error) !== 'RELAY_PRECONDITION_FAILED') throw error // another relay has made one meanwhile
  })
}

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

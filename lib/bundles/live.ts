import { Readable, type PassThrough } from 'node:stream'
import { finished } from 'node:stream/promises'
import { ZipFile } from 'yazl'
import type { AutomergePool } from '../automerge/workers/pool.ts'
import { unlessDeleted } from '../storage/tombstone.ts'
import type { SyncEngine } from '../sync/engine.ts'
import type { Bundle } from './bundle.ts'
import { documentPath } from './file/entry-path.ts'
import { MANIFEST_PATH } from './file/manifest.ts'
import { ENTRY } from './file/pack.ts'
import { currentDocument } from './slim.ts'

export interface LiveParts { sync: Pick<SyncEngine, 'snapshot'>, automerge: AutomergePool }

/** Automerge has compressed what can be compressed: deflating again saves 1 % and takes most of the time. */
const AS_IS = { ...ENTRY, compress: false }

const SLICE_BYTES = 64 * 1024

/**
 * A bundle written anew: its manifest's own bytes, and in their current state all its documents and all that can be
 * reached from them. A document is read when the one before has been taken. The stream is destroyed when one cannot be
 * read; destroying it ends the work.
 */
export function streamLive (bundle: Bundle, parts: LiveParts): Readable {
  const zip = new ZipFile()
  const output = zip.outputStream as PassThrough
  const gone = new AbortController()
  output.once('close', () => gone.abort())
  write(zip, bundle, parts, gone.signal).catch(error => output.destroy(error))
  return output
}

async function write (
  zip: ZipFile, bundle: Bundle, { sync, automerge }: LiveParts, signal: AbortSignal
): Promise<void> {
  await add(zip, MANIFEST_PATH, bundle.manifestBytes, signal)
  const ids = new Set([bundle.rootId, ...bundle.documents])
  for (const id of ids) { // those added on the way included
    const bytes = await unlessDeleted(currentDocument(bundle, sync, id))
    if (bytes === null) continue
    const { references } = await automerge.inspect([bytes])
    for (const reference of references) ids.add(reference)
    await add(zip, documentPath(id), bytes, signal)
  }
  zip.end()
}

/** Adds an entry; resolves when its bytes have been taken. */
async function add (zip: ZipFile, path: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  // yazl keeps what it is given until the end: not a buffer, then, and not the stream
  let source: Readable | undefined = Readable.from(slices(bytes), { objectMode: false, signal })
  const taken = finished(source)
  zip.addReadStreamLazy(path, AS_IS, callback => {
    callback(null, source!)
    source = undefined
  })
  await taken
}

function * slices (bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) yield bytes.subarray(at, at + SLICE_BYTES)
}

import { open, type FileHandle } from 'node:fs/promises'
import { RelayError, codeOf, messageOf } from '../../errors.ts'
import { OpenedBundle } from './opened-bundle.ts'
import { invalidBundle } from '../file/refusal.ts'
import type { ByteRange, StoredBundle } from './store.ts'

const CHUNK = 64 * 1024

/**
 * A bundle that is a file of this machine's, opened: it stays readable when the file is replaced or removed.
 * @param refuse makes the error of what the system says
 * @param owner whose it is
 * @throws RelayError RELAY_FILE_NOT_FOUND, RELAY_BUNDLE_INVALID when it is no file, RELAY_STORAGE_FAILED
 */
export async function openLocalFile (path: string, refuse = unreadable, owner?: string): Promise<StoredBundle> {
  const handle = await open(path, 'r').catch(error => { throw refuse(error) })
  try {
    const facts = await handle.stat({ bigint: true })
    if (!facts.isFile()) throw invalidBundle('not a file')
    const { ino, size, mtimeNs, mtime: modified } = facts
    return new OpenedBundle({
      size: Number(size),
      etag: `"${[ino, size, mtimeNs].map(fact => fact.toString(16)).join('-')}"`,
      modified,
      owner,
      read: range => read(handle, range, refuse),
      release: () => handle.close().catch(() => {}) // it was only read
    })
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** Reads by position: any number of these at once on one descriptor. */
async function * read (handle: FileHandle, { start, end }: ByteRange, refuse: typeof unreadable): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK, end - at))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at).catch(error => { throw refuse(error) })
    if (bytesRead === 0) throw new RelayError('RELAY_BUNDLE_CHANGED', 'the bundle’s file became shorter while it was read')
    at += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}

/** Clients may see the message, so it names no path. Tonk's scripts look for "not found". */
function unreadable (error: unknown): RelayError {
  return codeOf(error) === 'ENOENT'
    ? new RelayError('RELAY_FILE_NOT_FOUND', 'Bundle file not found', { cause: error })
    : new RelayError('RELAY_STORAGE_FAILED', `cannot read the bundle’s file: ${codeOf(error) ?? messageOf(error)}`, { cause: error })
}

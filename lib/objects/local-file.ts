import type { BigIntStats } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { RelayError, codeOf, messageOf, type RelayErrorCode } from '../errors.ts'
import type { ByteRange, ObjectFacts, StoredObject } from './object-store.ts'
import { OpenedObject } from './opened-object.ts'

const CHUNK_BYTES = 64 * 1024

export interface LocalFileOptions {
  /** Makes the error of what the system says; EISDIR of what is no file */
  refuse?: (error: unknown) => RelayError
  /** The code of the error when the file becomes shorter while it is read */
  changed?: RelayErrorCode | undefined
  /** Whose it is */
  owner?: string | undefined
}

/**
 * A file of this machine's, opened: it stays readable when the file is replaced or removed.
 * @throws RelayError RELAY_FILE_NOT_FOUND, RELAY_STORAGE_FAILED
 */
export async function openLocalFile (
  path: string, { refuse = unreadable, changed = 'RELAY_OBJECT_CHANGED', owner }: LocalFileOptions = {}
): Promise<StoredObject> {
  const handle = await open(path, 'r').catch(error => { throw refuse(error) })
  try {
    const facts = await handle.stat({ bigint: true })
    if (!facts.isFile()) throw refuse(Object.assign(new Error('not a file'), { code: 'EISDIR' }))
    return new OpenedObject({
      ...factsOf(facts),
      owner,
      read: range => read(handle, range, refuse, changed),
      release: () => handle.close().catch(() => {}) // it was only read
    })
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** What is told of a file. Its ETag tells versions apart by place, size and date. */
export const factsOf = ({ ino, size, mtimeNs, mtime }: BigIntStats): Omit<ObjectFacts, 'owner'> =>
  ({ size: Number(size), etag: `"${[ino, size, mtimeNs].map(fact => fact.toString(16)).join('-')}"`, modified: mtime })

/** Reads by position: any number of these at once on one descriptor. */
async function * read (
  handle: FileHandle, { start, end }: ByteRange, refuse: typeof unreadable, changed: RelayErrorCode
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end;) {
    const chunk = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at))
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, at).catch(error => { throw refuse(error) })
    if (bytesRead === 0) throw new RelayError(changed, 'the file became shorter while it was read')
    at += bytesRead
    yield chunk.subarray(0, bytesRead)
  }
}

/** Clients may see the message, so it names no path. */
function unreadable (error: unknown): RelayError {
  return codeOf(error) === 'ENOENT'
    ? new RelayError('RELAY_FILE_NOT_FOUND', 'File not found', { cause: error })
    : new RelayError(
      'RELAY_STORAGE_FAILED', `cannot read the file: ${codeOf(error) ?? messageOf(error)}`, { cause: error }
    )
}

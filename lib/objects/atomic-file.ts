import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../errors.ts'

const TEMPORARY = /^(\.put-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.tonk)?$/
/**
 * What fsync of a folder fails with where there is no such thing: by the kernel for whatever has none, by 9p and FUSE
 * servers, and on Windows, where a folder cannot be opened or synced. Not what a disk fails with: EIO, ENOSPC, EROFS.
 */
const CANNOT_SYNC = new Set([
  'EBADF', 'EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', ...process.platform === 'win32' ? ['EISDIR', 'EPERM'] : []
])
let hasWarned = false
const STALE_AFTER = 60 * 60 * 1000 // ms: far longer than any write takes

/**
 * Writes a whole file so that readers, and whoever starts after a crash, find the old contents or the new: temporary
 * file, fdatasync, rename, fsync of the folders that changed. On disk when resolved.
 * @param scratch folder for the temporary file, on the same file system
 */
export async function writeAtomic (file: string, contents: Uint8Array, scratch: string): Promise<void> {
  const temporary = path.join(scratch, randomUUID())
  const folder = path.dirname(file)
  try {
    const handle = await openNew(temporary)
    try {
      await handle.writeFile(contents)
      await handle.datasync()
    } finally {
      await handle.close()
    }
    await makeFolder(folder)
    await rename(temporary, file)
    await syncFolder(folder)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
}

/** Opens a new file for writing, in a folder that may have been cleared away. */
async function openNew (file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx')
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    await makeFolder(path.dirname(file))
    return await open(file, 'wx')
  }
}

/** Makes a folder and those above it; the names of those that were not there are on disk when resolved. */
export async function makeFolder (folder: string): Promise<void> {
  const top = await mkdir(folder, { recursive: true })
  if (top === undefined) return
  for (let at = folder; at !== path.dirname(top); at = path.dirname(at)) await syncFolder(path.dirname(at))
}

/**
 * fsync of a folder: the names in it are on disk when resolved. Where the file system cannot do that (SMB, some FUSE
 * and 9p mounts), it has no more to promise, and the process warns once.
 */
export async function syncFolder (folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, 'r')
    await handle.sync()
  } catch (error) {
    if (!CANNOT_SYNC.has(codeOf(error) ?? '')) throw error
    warnOnce(folder, error)
  } finally {
    await handle?.close()
  }
}

function warnOnce (folder: string, error: unknown): void {
  if (hasWarned) return
  hasWarned = true
  const problem = `its file system does not sync folders (${codeOf(error)})`
  process.emitWarning(`${folder}: ${problem}, so after a power failure a file that was just made may be missing`,
    { code: 'RELAY_FOLDER_NOT_SYNCED' })
}

/**
 * Deletes what an earlier process left in a scratch folder when it was killed: files named by a UUID, as temporaries
 * are, and nothing else; the folder may be somebody's own. Gives their names.
 */
export async function clearScratch (scratch: string, temporary = TEMPORARY): Promise<string[]> {
  const cleared: string[] = []
  for (const name of (await readdir(scratch)).filter(name => temporary.test(name))) {
    const file = path.join(scratch, name)
    try {
      if (Date.now() - (await stat(file)).mtimeMs < STALE_AFTER) continue
      await rm(file)
      cleared.push(name)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error // finished by its own writer meanwhile
    }
  }
  return cleared
}

import { createHash } from 'node:crypto'
import { cp, mkdir, open, readFile, readdir, rename, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'
import { RelayError, codeOf, messageOf } from '../errors.ts'
import { BUNDLES, idOfKey } from '../bundles/stores/key.ts'
import { makeFolder, syncFolder } from '../objects/atomic-file.ts'
import { FolderLock } from '../storage/local/lock.ts'
import { openSource } from './backup-source.ts'
import { summed } from './backup-target.ts'
import { FACTS, FORMAT, SUMS, VAULT } from './backup.ts'
import { storedBundles, type BundlePlace, type ListedStore } from './stored-bundles.ts'

/** The place of the bundles is empty, too. */
export interface RestoreOptions extends BundlePlace {
  /** A backup: a folder, an archive, or the bytes of one. */
  source: string | AsyncIterable<Uint8Array>
  /** Folder of the documents: empty, or not there yet. */
  storage: string
}

export interface RestoreSummary { files: number, bytes: number, createdAt: string }

const OF_ITS_OWN = new Set([FACTS, SUMS])
/** The key of a vault may be what the backup was opened with. */
const NOT_IN_THE_WAY = new Set(['lock', 'lock.d', 'lost+found', VAULT])

const refused = (problem: string): RelayError => new RelayError('RELAY_BAD_OPTION', problem)

/**
 * Puts a backup into an empty storage folder, in which no relay can start meanwhile. Nothing is put in its place before
 * all of it has been read and is what was backed up.
 * @throws RelayError RELAY_BAD_OPTION or RELAY_STORAGE_FAILED
 */
export async function restore ({ source, storage, bundles, store }: RestoreOptions): Promise<RestoreSummary> {
  const folder = path.resolve(storage)
  await refuseFilled(folder)
  const lock = new FolderLock(folder)
  await lock.take()
  const aside = path.join(folder, 'tmp', 'restore')
  try {
    await refuseFilled(folder) // since another one, or a relay, has had it
    if (store === undefined) await refuseFilled(path.join(path.resolve(bundles), BUNDLES))
    else await refuseFilledStore(store)
    const summary = await unpack(source, aside)
    if (store === undefined) await moveBundles(path.join(aside, BUNDLES), path.join(path.resolve(bundles), BUNDLES))
    else await putBundles(path.join(aside, BUNDLES), store)
    for (const name of await readdir(aside)) {
      if (OF_ITS_OWN.has(name) || (name === VAULT && await isFilled(path.join(folder, VAULT)))) continue
      await rename(path.join(aside, name), path.join(folder, name))
    }
    await syncFolder(folder)
    return summary
  } catch (error) {
    throw error instanceof RelayError
      ? error
      : new RelayError(
        'RELAY_STORAGE_FAILED', `not restored: ${messageOf(error)}`, { cause: error }
      )
  } finally {
    await rm(path.join(folder, 'tmp'), { recursive: true, force: true })
    await lock.release()
  }
}

const isFilled = async (folder: string): Promise<boolean> => (await readdir(folder).catch(() => [])).length > 0

async function refuseFilled (folder: string): Promise<void> {
  const names = await readdir(folder).catch(error => {
    if (codeOf(error) === 'ENOENT') return []
    throw refused(`${folder}: ${messageOf(error)}`)
  })
  // the folder of a restore that was killed while it was unpacking, too
  const filled = names.filter(name => !NOT_IN_THE_WAY.has(name) && name !== 'tmp')
  if (filled.length > 0) throw refused(`${folder} is not empty: a backup is restored into an empty folder`)
}

async function refuseFilledStore (store: ListedStore): Promise<void> {
  await store.check()
  const [first] = await store.list({ limit: 1 })
  if (first !== undefined) {
    throw refused(`there are bundles already, ${first.id} for one: a backup is restored where there are none`)
  }
}

/** Writes a backup's files to a folder, and holds them against their sums. */
async function unpack (source: RestoreOptions['source'], folder: string): Promise<RestoreSummary> {
  await rm(folder, { recursive: true, force: true })
  const sums = new Map<string, string>()
  let size = 0
  for await (const { path: name, body } of openSource(source)) {
    if (sums.has(name)) throw refused(`not a backup: ${name} is in it twice`)
    const file = path.join(folder, ...name.split('/'))
    await mkdir(path.dirname(file), { recursive: true })
    const hash = createHash('sha256')
    size += await write(file, summed(body, hash))
    sums.set(name, hash.digest('hex'))
  }
  const { createdAt } = await readFacts(path.join(folder, FACTS))
  await compare(sums, path.join(folder, SUMS))
  for (const name of new Set([...sums.keys()].map(name => path.dirname(path.join(folder, ...name.split('/')))))) {
    await syncFolder(name)
  }
  return { files: sums.size - OF_ITS_OWN.size, bytes: size, createdAt }
}

async function write (file: string, body: AsyncIterable<Uint8Array>): Promise<number> {
  const handle = await open(file, 'wx', 0o600)
  let size = 0
  try {
    for await (const chunk of body) {
      await handle.appendFile(chunk)
      size += chunk.length
    }
    await handle.datasync()
    return size
  } finally {
    await handle.close()
  }
}

async function readFacts (file: string): Promise<{ createdAt: string }> {
  const text = await readFile(file, 'utf8').catch(() => { throw refused(`not a backup: it has no ${FACTS}`) })
  const { format, createdAt } = parse(text)
  if (format !== FORMAT) throw refused(`a backup of format ${String(format)}, which this version does not know`)
  return { createdAt: String(createdAt) }
}

function parse (text: string): { format?: unknown, createdAt?: unknown } {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new RelayError('RELAY_BAD_OPTION', `not a backup: ${FACTS} is not JSON`, { cause })
  }
}

/** Every file is there with its sum, and no other. */
async function compare (found: Map<string, string>, file: string): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => { throw refused(`the backup is not whole: it has no ${SUMS}`) })
  const expected = new Map(text.split('\n').filter(line => line !== '').map(line => [
    line.slice(66), line.slice(0, 64)
  ]))
  for (const [name, sum] of expected) {
    if (!found.has(name)) throw refused(`the backup is not whole: ${name} is missing`)
    if (found.get(name) !== sum) throw refused(`the backup is damaged: ${name} is not what was backed up`)
  }
  for (const name of found.keys()) {
    if (name !== SUMS && !expected.has(name)) throw refused(`the backup has ${name}, which was not backed up`)
  }
}

async function removeEmpty (folder: string): Promise<void> {
  await rmdir(folder).catch(error => {
    if (codeOf(error) !== 'ENOENT') throw error
  })
}

async function moveBundles (from: string, to: string): Promise<void> {
  await makeFolder(path.dirname(to))
  try {
    await removeEmpty(to) // as was seen
    await rename(from, to)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return // there were none
    if (codeOf(error) !== 'EXDEV') throw error
    await cp(from, to, { recursive: true })
    await rm(from, { recursive: true })
  }
  await syncFolder(path.dirname(to))
}

/** Hands the bundles to what keeps them, with their owners. */
async function putBundles (from: string, store: ListedStore): Promise<void> {
  for await (const { name, file, open } of storedBundles({ bundles: path.dirname(from) })) {
    const id = idOfKey(BUNDLES + name)
    const opened = await open()
    await opened?.close()
    if (id === undefined || opened === null) throw refused(`not a backup: ${BUNDLES}${name} is no bundle’s name`)
    await store.put(id, { path: file!, size: opened.size }, { owner: opened.owner })
  }
  await rm(from, { recursive: true, force: true })
}

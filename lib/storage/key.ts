import path from 'node:path'
import { RelayError } from '../errors.ts'
import { isDocumentId } from '../ids.ts'

/**
 * A place in storage, as automerge-repo names them: `[documentId, kind, name]`, a prefix of it, or the storage's own
 * id.
 */
export type StorageKey = readonly string[]

export const STORAGE_ID_KEY: StorageKey = ['storage-adapter-id']

const KINDS = new Set(['snapshot', 'incremental', 'sync-state', 'deleted'])
const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/

/** Whether a key is in the layout: document ids, the four kinds and plain names, and nothing else. */
export function isStorageKey (key: StorageKey): boolean {
  const [first, kind, name, ...rest] = key
  if (first === STORAGE_ID_KEY[0]) return key.length === 1
  return isDocumentId(first) && (kind === undefined || KINDS.has(kind)) && (name === undefined || NAME.test(name)) &&
    rest.length === 0
}

/** Parts of a key can come from a peer: they are checked here, for everyone. @throws RelayError RELAY_ID_INVALID */
export function checkKey (key: StorageKey): StorageKey {
  if (!isStorageKey(key)) throw new RelayError('RELAY_ID_INVALID', 'not a key of this storage')
  return key
}

/**
 * The path of a key: `<first two characters>/<rest>/<kind>/<name>`, the layout of automerge-repo's nodefs adapter and
 * of samod. @throws RelayError RELAY_ID_INVALID
 */
export function pathOf (key: StorageKey): string[] {
  const [first, ...rest] = checkKey(key)
  return [first!.slice(0, 2), first!.slice(2), ...rest]
}

/** The file or folder of a key below `base`. @throws RelayError RELAY_ID_INVALID */
export const storagePath = (base: string, key: StorageKey): string => path.join(base, ...pathOf(key))

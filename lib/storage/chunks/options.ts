import { badOption } from '../../errors.ts'
import { refuseUnknown } from '../../validate.ts'
import type { StorageAdapter } from './adapter-chunks.ts'

/**
 * What a host may give as `storage`: a folder, or one of automerge-repo's storage adapters, alone or with the folder
 * for all that is not documents.
 */
export type StorageOption = string | StorageAdapter | { adapter: StorageAdapter, folder?: string | undefined }

/** What an adapter must do: automerge-repo's `StorageAdapterInterface`. */
const METHODS = ['load', 'save', 'remove', 'loadRange', 'removeRange'] as const

/**
 * Takes `storage` apart.
 * @returns a folder, not yet checked, and the adapter if there is one
 * @throws RelayError RELAY_BAD_OPTION
 */
export function parseStorage (given: unknown): { folder: unknown, adapter: StorageAdapter | undefined } {
  if (typeof given !== 'object' || given === null) return { folder: given, adapter: undefined }
  if (!('adapter' in given)) return { folder: undefined, adapter: checkAdapter('storage', given) }
  refuseUnknown(given, ['adapter', 'folder'], (name, problem) => badOption(`storage.${name}`, problem))
  const { adapter, folder } = given as { adapter: unknown, folder?: unknown }
  return { folder, adapter: checkAdapter('storage.adapter', adapter) }
}

function checkAdapter (name: string, adapter: unknown): StorageAdapter {
  for (const method of METHODS) {
    if (typeof (adapter as Partial<StorageAdapter> | null | undefined)?.[method] === 'function') continue
    throw badOption(name, `must be a folder or a storage adapter of automerge-repo, with a method ${method}()`)
  }
  return adapter as StorageAdapter
}

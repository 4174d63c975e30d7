import path from 'node:path'
import type { Log } from '../log.ts'
import { FolderObjects } from './folder-objects.ts'
import type { ObjectStore } from './object-store.ts'
import type { S3Options } from './options.ts'

export interface ObjectsOptions {
  s3?: S3Options | undefined
  /** Folder of the objects; that of the documents unless given */
  bundles?: string | undefined
  storage: string
}

/**
 * The object store that the options ask for, not yet checked: a bucket or a folder. The AWS SDK is loaded only for a
 * bucket.
 */
export async function openObjects ({ s3, bundles, storage }: ObjectsOptions, log: Log): Promise<ObjectStore> {
  if (s3 !== undefined) {
    const { S3Objects } = await import('./s3-objects.ts')
    return new S3Objects(s3)
  }
  const folder = bundles ?? storage
  return new FolderObjects({ folder, scratch: path.join(folder, 'bundles'), log })
}

/** What belongs to the documents of a storage folder and lies beside them. */
export const openLocalObjects = (storage: string, log: Log): ObjectStore =>
  new FolderObjects({ folder: storage, scratch: path.join(storage, 'tmp'), log, failure: 'RELAY_STORAGE_FAILED' })

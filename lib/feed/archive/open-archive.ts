import path from 'node:path'
import type { Log } from '../../log.ts'
import { FolderObjects } from '../../objects/folder-objects.ts'
import type { ObjectStore } from '../../objects/object-store.ts'
import type { S3Options } from '../../objects/options.ts'
import type { FeedSettings } from '../options.ts'
import { Archive } from './archive.ts'

export interface ArchivePlace { readonly objects: ObjectStore, readonly prefix: string }

/** The settings that say where. */
type Given =
  Pick<FeedSettings, 'archiveFolder' | 'archiveBucket' | 'archiveRegion' | 'archiveEndpoint' | 'archivePrefix'>

const REGION = 'eu-north-1'

/**
 * The archive that the options ask for, of the feed in a folder.
 * @returns undefined when they ask for none
 */
export async function openArchive (
  given: Given, s3: S3Options | undefined, folder: string, log: Log
): Promise<Archive | undefined> {
  const place = await archivePlace(given, s3, log)
  if (place === undefined) return undefined
  return new Archive({ ...place, folder: path.join(folder, 'records'), scratch: path.join(folder, 'replay'), log })
}

/**
 * Where sealed files are archived; undefined when they are not. A bucket is reached as that of the bundles is, unless
 * told.
 */
export async function archivePlace (
  given: Given, s3: S3Options | undefined, log: Log
): Promise<ArchivePlace | undefined> {
  const {
    archiveFolder: folder, archiveBucket: bucket, archiveRegion: region, archiveEndpoint: endpoint,
    archivePrefix: prefix
  } = given
  if (bucket !== undefined) {
    const { S3Objects } = await import('../../objects/s3-objects.ts')
    const options = {
      region: REGION, ...s3, bucket, ...region !== undefined && { region }, ...endpoint !== undefined && { endpoint }
    }
    return { objects: new S3Objects(options), prefix }
  }
  return folder === undefined
    ? undefined
    : { objects: new FolderObjects({ folder: path.resolve(folder), log }), prefix }
}

import { access } from 'node:fs/promises'
import { RelayError } from '../errors.ts'
import { Room } from '../shards/room.ts'
import { Node } from './node.ts'
import { ObjectPlace } from './object-place.ts'
import type { Place } from './place.ts'
import type { PlaceEntry } from './places-file.ts'
import { RelayPlace } from './relay-place.ts'

export interface OpenNodeOptions {
  /** Share of a folder's disk that is never filled */
  reserve?: number | undefined
  /** Looks at a place that was opened, before anything else is asked of it; where it rejects, the place is away */
  opened?: ((place: Place) => Promise<void>) | undefined
}

/** The place that an entry of the list names, not yet opened. */
export function openNode (entry: PlaceEntry, { reserve, opened }: OpenNodeOptions = {}): Node {
  const { id, domain, readOnly: isReadOnly } = entry
  const open = async (): Promise<Place> => {
    const place = await openPlace(entry, reserve)
    try {
      await opened?.(place)
    } catch (error) {
      await place.close()
      throw error
    }
    return place
  }
  return new Node({ id, domain, isReadOnly, open })
}

async function openPlace (entry: PlaceEntry, reserve: number | undefined): Promise<Place> {
  switch (entry.kind) {
    case 'folder': {
      await proveThere(entry.path)
      return await ObjectPlace.folder(entry.path, { quota: entry.room, reserve })
    }
    case 'relay': return new RelayPlace(entry)
    case 's3': {
      const { S3Objects } = await import('../objects/s3-objects.ts')
      const { bucket, endpoint, region = 'eu-north-1', accessKeyId, secretAccessKey } = entry
      const objects = new S3Objects({ bucket, endpoint, region, accessKeyId, secretAccessKey })
      return await ObjectPlace.open(objects, new Room({ quota: entry.room }))
    }
  }
}

/** A folder that is not there may be a disk that is not mounted: one made in its place would fill another disk. */
async function proveThere (folder: string): Promise<void> {
  try {
    await access(folder)
  } catch (cause) {
    throw new RelayError('RELAY_STORE_UNAVAILABLE', `there is no folder ${folder}`, { cause })
  }
}

import { Room } from '../shards/room.ts'
import { Node } from './node.ts'
import { ObjectPlace } from './object-place.ts'
import type { Place } from './place.ts'
import type { PlaceEntry } from './places-file.ts'
import { RelayPlace } from './relay-place.ts'

/** The place that an entry of the list names, not yet opened. */
export function openNode (entry: PlaceEntry, reserve?: number): Node {
  const { id, domain, readOnly: isReadOnly } = entry
  return new Node({ id, domain, isReadOnly, open: async () => await openPlace(entry, reserve) })
}

async function openPlace (entry: PlaceEntry, reserve: number | undefined): Promise<Place> {
  switch (entry.kind) {
    case 'folder': return await ObjectPlace.folder(entry.path, { quota: entry.room, reserve })
    case 'relay': return new RelayPlace(entry)
    case 's3': {
      const { S3Objects } = await import('../objects/s3-objects.ts')
      const { bucket, endpoint, region = 'eu-north-1', accessKeyId, secretAccessKey } = entry
      const objects = new S3Objects({ bucket, endpoint, region, accessKeyId, secretAccessKey })
      return await ObjectPlace.open(objects, new Room({ quota: entry.room }))
    }
  }
}

import { randomBytes } from 'node:crypto'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { NodeFSStorageAdapter } from '@automerge/automerge-repo-storage-nodefs'
import type { Test } from 'tap'
import { FolderObjects } from '../../../../lib/objects/folder-objects.ts'
import { S3Objects } from '../../../../lib/objects/s3-objects.ts'
import type { ChunkStore } from '../../../../lib/storage/chunk-store.ts'
import { AdapterChunks } from '../../../../lib/storage/chunks/adapter-chunks.ts'
import type { StorageOption } from '../../../../lib/storage/chunks/options.ts'
import { ObjectChunks } from '../../../../lib/storage/chunks/object-chunks.ts'
import { FolderChunks } from '../../../../lib/storage/local/folder-chunks.ts'
import { scratch } from '../../../scratch.ts'

const { TEST_S3_ENDPOINT: endpoint = '' } = process.env
export const noS3 = endpoint === '' && 'needs TEST_S3_ENDPOINT; `.ci/s3-server run npm test` brings a server'

/** A new bucket on the real server, and as many clients of it as are asked for. */
export async function newBucket (t: Test): Promise<{ name: string, open: () => S3Objects }> {
  const name = `chunks-${randomBytes(6).toString('hex')}`
  const client = new S3Client({ region: 'eu-north-1', endpoint, forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: name }))
  client.destroy()
  const open = (): S3Objects => {
    const objects = new S3Objects({ bucket: name, region: 'eu-north-1', endpoint })
    t.teardown(async () => { await objects.close() })
    return objects
  }
  return { name, open }
}

export interface StorageCase {
  name: string
  skip: string | false
  /** Somewhere new; each call of what is returned gives the option `storage` of another relay there. */
  place: (t: Test) => Promise<() => StorageOption>
}

/** What a relay may have its documents in. */
export const storages: StorageCase[] = [
  {
    name: 'a folder',
    skip: false,
    async place (t) {
      const folder = await scratch(t)
      return () => folder
    }
  },
  {
    name: 'S3',
    skip: noS3,
    async place (t) {
      const [{ open }, folder] = [await newBucket(t), await scratch(t)]
      return () => ({ adapter: new ObjectChunks(open()), folder })
    }
  },
  {
    name: 'automerge-repo’s nodefs adapter',
    skip: false,
    async place (t) {
      const [documents, folder] = [await scratch(t), await scratch(t)]
      return () => ({ adapter: new NodeFSStorageAdapter(documents), folder })
    }
  }
]

export interface ChunkStoreCase {
  name: string
  skip: string | false
  /** Somewhere new; each call of what is returned makes the store that another process would have there. */
  make: (t: Test) => Promise<() => ChunkStore>
}

/** Every chunk store there is. */
export const chunkStores: ChunkStoreCase[] = [
  {
    name: 'a folder',
    skip: false,
    async make (t) {
      const folder = await scratch(t)
      return () => new FolderChunks(folder)
    }
  },
  {
    name: 'S3',
    skip: noS3,
    async make (t) {
      const { open } = await newBucket(t)
      return () => new ObjectChunks(open())
    }
  },
  {
    name: 'objects of a folder',
    skip: false,
    async make (t) {
      const folder = await scratch(t)
      return () => new ObjectChunks(new FolderObjects({ folder }))
    }
  },
  {
    name: 'automerge-repo’s nodefs adapter',
    skip: false,
    async make (t) {
      const folder = await scratch(t)
      return () => new AdapterChunks(new NodeFSStorageAdapter(folder))
    }
  }
]

import { access, readFile, readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import type { Test } from 'tap'
import { CesWorkers } from '../../../lib/ces/workers/workers.ts'
import { silent } from '../../../lib/log.ts'
import { Node } from '../../../lib/nodes/node.ts'
import { ObjectPlace } from '../../../lib/nodes/object-place.ts'
import type { Place } from '../../../lib/nodes/place.ts'
import type { BlockStore } from '../../../lib/shards/block-store.ts'
import type { Geometry } from '../../../lib/vault/context.ts'
import { Holdings } from '../../../lib/vault/holdings.ts'
import { ClusterKey } from '../../../lib/vault/keys/cluster-key.ts'
import { writerOf } from '../../../lib/vault/manifest/writer.ts'
import { Vault } from '../../../lib/vault/vault.ts'
import { scratch } from '../../scratch.ts'

/** What a place is made to do, by the id of its node. */
export interface Fault {
  /** Nothing answers */
  isAway?: boolean
  /** ms before each answer */
  delay?: number
  /** Instead of a put */
  put?: () => Promise<void>
  /** Instead of the bytes that are read */
  read?: (bytes: Uint8Array) => Uint8Array
}

export interface Cluster {
  readonly folders: Map<string, string>
  readonly faults: Map<string, Fault>
  readonly key: ClusterKey
  /** A vault as a relay that has just started has it. */
  open (options?: Partial<Geometry> & { key?: ClusterKey, grace?: number }): Promise<Vault>
  /** All shard files in a place. */
  shardsIn (id: string): Promise<string[]>
  pathOf (id: string, name: string): string
  wipe (id: string): Promise<void>
}

const workers = new CesWorkers({ threads: 1 })

/** Folders as places, each a domain of its own, and vaults on them. */
export async function cluster (t: Test, ids: string[], geometry: Partial<Geometry> = {}): Promise<Cluster> {
  const root = await scratch(t, Object.fromEntries(ids.map(id => [id, null])))
  const folders = new Map(ids.map(id => [id, path.join(root, id)]))
  const faults = new Map<string, Fault>()
  const key = ClusterKey.random()
  const nodes = (): Node[] => ids.map(id => new Node({
    id,
    open: async () =>
      withFaults(await ObjectPlace.folder(await existing(folders.get(id)!), { reserve: 0 }), () => faults.get(id) ?? {})
  }))
  const shardsFolder = (id: string): string => path.join(folders.get(id)!, 'vault', 'shards')
  return {
    folders,
    faults,
    key,
    open: async ({ key: other, grace = 24 * 3_600_000, ...given } = {}) => {
      const [opened, used] = [nodes(), other ?? key]
      const vault = new Vault({
        nodes: opened,
        workers,
        grace,
        log: silent,
        holdings: new Holdings(silent),
        key: () => used,
        geometry: { k: 8, m: 4, survive: 1, segment: 64 * 1024, ...geometry, ...given },
        writer: async () => await writerOf(used.derive('writer'))
      })
      await vault.refresh()
      return vault
    },
    shardsIn: async id =>
      (await readdir(shardsFolder(id), { recursive: true }).catch(() => [])).filter(name => name.length > 64).sort(),
    pathOf: (id, name) => path.join(shardsFolder(id), name.slice(0, 2), name),
    wipe: async id => { await rm(path.join(folders.get(id)!, 'vault'), { recursive: true, force: true }) }
  }
}

/** Lets the threads end that all clusters of a test file share. */
export const closeWorkers = async (): Promise<void> => { await workers.close() }

async function existing (folder: string): Promise<string> {
  await access(folder)
  return folder
}

function withFaults (place: Place, fault: () => Fault): Place {
  const before = async (signal?: AbortSignal): Promise<void> => {
    const { isAway, delay = 0 } = fault()
    if (isAway === true) throw new Error('away')
    if (delay > 0) {
      await new Promise<void>((resolve, reject) => {
        const timer = setTimeout(resolve, delay)
        signal?.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(new DOMException('given up', 'AbortError'))
        })
      })
    }
  }
  const faulty = (store: BlockStore): BlockStore => ({
    put: async (name, bytes, signal) => {
      await before(signal)
      await fault().put?.()
      await store.put(name, bytes, signal)
    },
    read: async (name, signal) => {
      await before(signal)
      const bytes = await store.read(name, signal)
      return fault().read?.(bytes) ?? bytes
    },
    missing: async (names, signal) => { await before(signal); return await store.missing(names, signal) },
    verify: async (names, signal) => { await before(signal); return await store.verify(names, signal) },
    list: async options => { await before(options.signal); return await store.list(options) },
    remove: async (name, signal) => { await before(signal); await store.remove(name, signal) }
  })
  return {
    shards: faulty(place.shards),
    manifests: faulty(place.manifests),
    identity: async signal => { await before(signal); return await place.identity(signal) },
    claim: async (vault, id, signal) => { await before(signal); return await place.claim(vault, id, signal) },
    free: async signal => { await before(signal); return await place.free(signal) },
    turnTrash: async () => { await before(); await place.turnTrash?.() },
    close: async () => { await place.close() }
  }
}

export async function collected (bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  for await (const piece of bytes) pieces.push(piece)
  return Buffer.concat(pieces)
}

/** All files below a folder with their contents, to compare. */
export async function tree (folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {}
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name)
    if (entry.isFile()) files[path.relative(folder, file)] = (await readFile(file)).toString('base64')
  }
  return files
}

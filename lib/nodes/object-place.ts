import { randomUUID } from 'node:crypto'
import path from 'node:path'
import { RelayError } from '../errors.ts'
import { FolderObjects } from '../objects/folder-objects.ts'
import { allObjects, type ObjectStore } from '../objects/object-store.ts'
import { allBlocks } from '../shards/block-store.ts'
import { ObjectBlocks } from '../shards/object-blocks.ts'
import { Room } from '../shards/room.ts'
import type { Place, PlaceIdentity } from './place.ts'

const IDENTITY = 'vault/place.json'
const TRASH = 'vault/trash/'
const TRASH_DAY = 'vault/trash.json'
const TRASH_DAYS = 7

/** A folder or a bucket as a place: `vault/shards`, `vault/manifests`, `vault/trash`, `vault/place.json`. */
export class ObjectPlace implements Place {
  readonly shards: ObjectBlocks
  readonly manifests: ObjectBlocks
  readonly #objects: ObjectStore
  readonly #room: Room
  #isClaimed = false
  #day = 0

  private constructor (objects: ObjectStore, room: Room) {
    this.#objects = objects
    this.#room = room
    const trash = (): string => `${TRASH}${this.#day}/`
    this.shards = new ObjectBlocks({ objects, prefix: 'vault/shards/', trash, room })
    this.manifests = new ObjectBlocks({ objects, prefix: 'vault/manifests/', trash, room })
  }

  /** Makes its folders, counts what is there. @throws RelayError RELAY_STORE_UNAVAILABLE */
  static async open (objects: ObjectStore, room: Room): Promise<ObjectPlace> {
    await objects.check('vault/')
    const place = new ObjectPlace(objects, room)
    place.#day = await place.#readDay()
    for (const store of [place.shards, place.manifests]) {
      for await (const { size } of allBlocks(store)) room.count(size)
    }
    return place
  }

  /** A folder; what a killed process left half written in it is cleared away. */
  static async folder (
    folder: string,
    options: { quota?: number | undefined; reserve?: number | undefined } = {}
  ): Promise<ObjectPlace> {
    const objects = new FolderObjects({ folder, scratch: path.join(folder, 'vault', 'tmp') })
    return await ObjectPlace.open(objects, new Room({ ...options, folder }))
  }

  async identity (signal?: AbortSignal): Promise<PlaceIdentity | null> {
    const bytes = await this.#objects.read(IDENTITY, { signal })
    if (bytes === null) return null
    const { id, vault } = parsed(bytes)
    if (typeof id !== 'string' || typeof vault !== 'string') {
      throw new RelayError('RELAY_STORE_UNAVAILABLE', `${IDENTITY} is damaged`)
    }
    return { id, vault }
  }

  async claim (vault: string, id: string = randomUUID(), signal?: AbortSignal): Promise<PlaceIdentity> {
    const known = await this.identity(signal)
    this.#isClaimed = true
    if (known?.vault === vault) return known
    if (known !== null) {
      throw new RelayError('RELAY_VAULT_KEY_WRONG', `the place belongs to the vault of another key (${known.vault})`)
    }
    const identity = { id, vault }
    await this.#objects.put(IDENTITY, Buffer.from(JSON.stringify(identity)), { replaces: null, signal })
    return identity
  }

  /** Asked before anything is stored: a disk that was unmounted is not to be taken for an empty one. */
  async free (signal?: AbortSignal): Promise<number> {
    if (this.#isClaimed && await this.#objects.head(IDENTITY, { signal }) === null) {
      throw new RelayError('RELAY_STORE_UNAVAILABLE', `${IDENTITY} is gone: the place is not the one that was opened`)
    }
    return await this.#room.free()
  }

  /** Days are counted, not read from a clock: one that is wrong removes nothing early. */
  async turnTrash (): Promise<void> {
    this.#day++
    await this.#objects.put(TRASH_DAY, Buffer.from(JSON.stringify({ day: this.#day })))
    for await (const { key } of allObjects(this.#objects, TRASH)) {
      if (Number(key.slice(TRASH.length).split('/')[0]) <= this.#day - TRASH_DAYS) await this.#objects.remove(key)
    }
  }

  async close (): Promise<void> {
    await this.#objects.close()
  }

  async #readDay (): Promise<number> {
    const bytes = await this.#objects.read(TRASH_DAY)
    const { day } = bytes === null ? { day: 0 } : parsed(bytes)
    return typeof day === 'number' ? day : 0
  }
}

function parsed (bytes: Uint8Array): Record<string, unknown> {
  try {
    return Object(JSON.parse(Buffer.from(bytes).toString())) as Record<string, unknown>
  } catch {
    return {} // what is missing in it is told by the caller
  }
}

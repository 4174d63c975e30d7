import { RelayError } from '../errors.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { blockName, checkBlock, checkBlockName, isBlockName } from './block-name.ts'
import type { BlockListOptions, BlockState, BlockStore, ListedBlock } from './block-store.ts'
import { Room } from './room.ts'

/** Bytes of the largest block taken: a shard of a 4 MiB segment with one data shard, and a manifest of some 100 GB. */
export const MAX_BLOCK = 8 * 1024 * 1024

export interface ObjectBlocksOptions {
  objects: ObjectStore
  /** What the keys begin with, like `vault/shards/` */
  prefix: string
  /** Where removed blocks go, like `vault/trash/`; without it they are gone */
  trash?: (() => string) | undefined
  room?: Room | undefined
}

/** Blocks in a folder or a bucket: `<prefix><first two digits>/<name>`. */
export class ObjectBlocks implements BlockStore {
  readonly #objects: ObjectStore
  readonly #prefix: string
  readonly #trash: (() => string) | undefined
  readonly #room: Room
  /** ETags of blocks that this process has stored or read and found whole. */
  readonly #whole = new Map<string, string>()

  constructor ({ objects, prefix, trash, room = new Room() }: ObjectBlocksOptions) {
    this.#objects = objects
    this.#prefix = prefix
    this.#trash = trash
    this.#room = room
  }

  async put (name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkBlock(name, bytes)
    if (bytes.length > MAX_BLOCK) throw new RelayError('RELAY_SHARD_INVALID', `a block has at most ${MAX_BLOCK} bytes`)
    if ((await this.#stateOf(name, signal)) === 'whole') return
    await this.#room.take(bytes.length)
    try {
      const { etag } = await this.#objects.put(this.#key(name), bytes, { sha256: name, signal })
      this.#whole.set(name, etag)
    } catch (error) {
      this.#room.give(bytes.length)
      throw error
    }
  }

  async read (name: string, signal?: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#objects.read(this.#key(name), { signal })
    if (bytes === null) throw new RelayError('RELAY_SHARD_NOT_FOUND', 'there is no such block')
    return bytes
  }

  async missing (names: readonly string[], signal?: AbortSignal): Promise<string[]> {
    const missing: string[] = []
    for (const name of names) if ((await this.#stateOf(name, signal)) !== 'whole') missing.push(name)
    return missing
  }

  async verify (names: readonly string[], signal?: AbortSignal): Promise<Map<string, BlockState>> {
    const states = new Map<string, BlockState>()
    for (const name of names) states.set(name, await this.#look(name, signal))
    return states
  }

  async list ({ after, limit, signal }: BlockListOptions): Promise<ListedBlock[]> {
    const from = after === undefined ? undefined : this.#key(after)
    const listed: ListedBlock[] = []
    for (let last = from; listed.length < limit;) {
      const page = await this.#objects.list({ prefix: this.#prefix, after: last, limit, signal })
      for (const { key, size } of page) {
        const name = key.slice(key.lastIndexOf('/') + 1)
        if (isBlockName(name) && key === this.#key(name)) listed.push({ name, size })
      }
      if (page.length < limit) break
      last = page.at(-1)!.key
    }
    return listed.slice(0, limit)
  }

  async remove (name: string, signal?: AbortSignal): Promise<void> {
    const key = this.#key(name)
    const bytes = await this.#objects.read(key, { signal })
    if (bytes === null) return
    if (this.#trash !== undefined) await this.#objects.put(`${this.#trash()}${name}`, bytes, { signal })
    this.#whole.delete(name)
    await this.#objects.remove(key, { signal })
    this.#room.count(-bytes.length)
  }

  /** What is known of it, or what reading it shows when nothing is. */
  async #stateOf (name: string, signal?: AbortSignal): Promise<BlockState> {
    const known = this.#whole.get(checkBlockName(name))
    if (known === undefined) return await this.#look(name, signal)
    const facts = await this.#objects.head(this.#key(name), { signal })
    if (facts === null) return 'missing'
    return facts.etag === known ? 'whole' : await this.#look(name, signal)
  }

  /** Reads it, twice where it is not as it should be: the fault may have been the memory's. */
  async #look (name: string, signal?: AbortSignal): Promise<BlockState> {
    const key = this.#key(checkBlockName(name))
    for (let reading = 1; ; reading++) {
      const stored = await this.#objects.head(key, { signal })
      const bytes = stored === null ? null : await this.#objects.read(key, { signal })
      if (stored === null || bytes === null) {
        this.#whole.delete(name)
        return 'missing'
      }
      if (blockName(bytes) === name) {
        this.#whole.set(name, stored.etag)
        return 'whole'
      }
      if (reading === 2) {
        this.#whole.delete(name)
        return 'damaged'
      }
    }
  }

  #key (name: string): string { return `${this.#prefix}${checkBlockName(name).slice(0, 2)}/${name}` }
}

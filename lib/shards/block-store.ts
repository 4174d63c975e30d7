/** A block in a list: the SHA-256 of its bytes in hex, which is its name, and their number. */
export interface ListedBlock {
  readonly name: string
  readonly size: number
}

/** What looking at a block's bytes found. */
export type BlockState = 'whole' | 'damaged' | 'missing'

export interface BlockListOptions {
  /** The name after which to go on */
  after?: string | undefined
  limit: number
  signal?: AbortSignal | undefined
}

/**
 * Where blocks (shards, manifests) are kept by the SHA-256 of their bytes, in hex. It knows nothing of what they are.
 * Errors are `RelayError`s: RELAY_STORE_UNAVAILABLE when the store cannot be reached.
 */
export interface BlockStore {
  /**
   * Stores a block; the same one any number of times. Durable and verified when resolved.
   * @throws RelayError RELAY_SHARD_INVALID for bytes of another name, RELAY_SHARDS_FULL when there is no room
   */
  put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>
  /** The bytes as they are: whoever reads them checks them. @throws RelayError RELAY_SHARD_NOT_FOUND */
  read(name: string, signal?: AbortSignal): Promise<Uint8Array>
  /** Which of these are not here, or are damaged. Those that nobody has looked at yet are read. */
  missing(names: readonly string[], signal?: AbortSignal): Promise<string[]>
  /** Reads blocks where they are. */
  verify(names: readonly string[], signal?: AbortSignal): Promise<Map<string, BlockState>>
  /** Blocks in the order of their names; fewer than `limit`: there are no more. */
  list(options: BlockListOptions): Promise<ListedBlock[]>
  /** Takes a block away, if it is there; whether it can be had back is the store's. */
  remove(name: string, signal?: AbortSignal): Promise<void>
}

const PAGE = 1_000

/** All blocks of a store. @param after the name after which to go on */
export async function * allBlocks (
  store: BlockStore,
  after?: string,
  signal?: AbortSignal
): AsyncGenerator<ListedBlock> {
  for (;;) {
    const page = await store.list({ after, limit: PAGE, signal })
    yield * page
    if (page.length < PAGE) return
    after = page.at(-1)!.name
  }
}

import { messageOf } from '../../errors.ts'
import type { EncodedSegment } from '../../ces/segment.ts'
import type { Node } from '../../nodes/node.ts'
import type { VaultContext } from '../context.ts'
import { place, type Candidate } from '../placement.ts'

/** Places that may be written, with the room they have; what a put uses up is subtracted as it goes. */
export class Rooms {
  readonly #free = new Map<Node, number>()

  /** Asks all that are well. Those that do not answer are left out. */
  static async ask (nodes: readonly Node[], signal?: AbortSignal): Promise<Rooms> {
    const rooms = new Rooms()
    await Promise.all(
      nodes
        .filter(({ isReadOnly, health }) => !isReadOnly && health.state === 'active')
        .map(async node => {
          // one that does not answer is left out: its health knows
          const free = await node.ask(async place => await place.free(signal), signal).catch(() => undefined)
          if (free !== undefined) rooms.#free.set(node, free)
        })
    )
    signal?.throwIfAborted()
    return rooms
  }

  candidates (): Candidate[] {
    return [...this.#free].map(([{ id, domain }, free]) => ({ id, domain, free }))
  }

  node (id: string): Node {
    return [...this.#free.keys()].find(node => node.id === id)!
  }

  use (node: Node, bytes: number): void {
    this.#free.set(node, (this.#free.get(node) ?? 0) - bytes)
  }

  /** It failed: nothing more is asked of it. */
  leave (node: Node): void {
    this.#free.delete(node)
  }
}

export interface StoreOptions {
  seed: string
  k: number
  m: number
  survive: number
  /** Places of the shards that are there already */
  held?: readonly Node[]
  signal?: AbortSignal | undefined
}

/**
 * Brings shards to places. Where one fails, its shards go to others, the same bytes.
 * @param files by index
 * @throws RelayError RELAY_VAULT_UNHAPPY when the promise cannot be kept
 */
export async function storeShards (
  context: VaultContext,
  rooms: Rooms,
  files: ReadonlyMap<number, { name: string; bytes: Uint8Array }>,
  options: StoreOptions
): Promise<void> {
  const { held = [], signal, ...rest } = options
  const holders = [...held]
  let wanted = [...files.keys()]
  while (wanted.length > 0) {
    const size = files.get(wanted[0]!)!.bytes.length
    const placed = place({
      ...rest,
      size,
      wanted,
      candidates: rooms.candidates(),
      held: holders.map(({ domain }) => domain),
      holders: holders.map(({ id }) => id)
    })
    const failed: number[] = []
    await Promise.all(
      wanted.map(async (index, at) => {
        const [node, { name, bytes }] = [rooms.node(placed[at]!), files.get(index)!]
        rooms.use(node, bytes.length)
        try {
          await node.ask(async ({ shards }) => {
            await shards.put(name, bytes, signal)
          }, signal)
          context.holdings.add(name, node)
          holders.push(node)
        } catch (error) {
          signal?.throwIfAborted()
          context.log.warn({ place: node.id, err: error }, `a shard does not get to ${node.id}: ${messageOf(error)}`)
          rooms.leave(node)
          failed.push(index)
        }
      })
    )
    wanted = failed
  }
}

/** The shards of a segment that was just made, by index. */
export const filesOf = ({
  files,
  names
}: Pick<EncodedSegment, 'files' | 'names'>): Map<number, { name: string; bytes: Uint8Array }> =>
  new Map(files.map((bytes, index) => [index, { name: Buffer.from(names[index]!).toString('hex'), bytes }]))

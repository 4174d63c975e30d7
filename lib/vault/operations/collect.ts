import type { Node } from '../../nodes/node.ts'
import { isBlockName } from '../../shards/block-name.ts'
import type { VaultContext } from '../context.ts'
import { shardName } from '../manifest/manifest.ts'

export interface CollectReport {
  /** Why nothing was done */
  refused?: string
  /** Blocks that were moved to the trash */
  removed: number
  /** Blocks that nobody refers to, to be removed the next time */
  suspects: number
}

/**
 * Moves to the trash what no manifest refers to, at the second look: what a put elsewhere has just brought has no
 * manifest yet. Does nothing on a partial view: a manifest that cannot be read may refer to anything. Reads no
 * clock on the wall.
 * @param suspects names found by looks before, with ms of a clock that only goes forward; brought up to date
 */
export async function collect (context: VaultContext, suspects: Map<string, number>): Promise<CollectReport> {
  const { nodes, holdings, patience = 0 } = context
  const { silent, unreadable } = await holdings.refresh(nodes)
  if (silent.length > 0) {
    return {
      refused: `${silent.map(({ id }) => id).join(', ')} did not tell what is there`,
      removed: 0,
      suspects: suspects.size
    }
  }
  if (unreadable.length > 0) {
    return { refused: `${unreadable.length} manifests cannot be read`, removed: 0, suspects: suspects.size }
  }
  const needed = new Set<string>(holdings.pending)
  for (const { id, segments } of holdings.live()) {
    needed.add(id)
    for (const segment of segments) for (const index of segment.names.keys()) needed.add(shardName(segment, index))
  }
  for (const { id } of holdings.tombstones()) needed.add(id)
  const found = new Map<string, number>()
  const now = performance.now()
  let removed = 0
  for (const node of nodes.filter(({ isReadOnly }) => !isReadOnly)) {
    for (const name of [...holdings.of(node)].filter(name => !needed.has(name) && isBlockName(name))) {
      const since = suspects.get(name)
      if (since === undefined || now - since < patience) found.set(name, since ?? now)
      else {
        await remove(node, name)
        holdings.drop(name, node)
        removed++
      }
    }
    await node.ask(async place => {
      await place.turnTrash?.()
    })
  }
  suspects.clear()
  for (const [name, since] of found) suspects.set(name, since)
  return { removed, suspects: found.size }
}

/** A name is in one of the two stores. */
async function remove (node: Node, name: string): Promise<void> {
  await node.ask(async ({ shards, manifests }) => {
    await shards.remove(name)
    await manifests.remove(name)
  })
}

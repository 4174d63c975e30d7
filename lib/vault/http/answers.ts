import type { Node } from '../../nodes/node.ts'
import type { VaultEntry } from '../vault.ts'

/** An object as it is told of; null where it is of another key. */
export const entryJson = ({ id, generation, stored, description }: VaultEntry) => ({
  id,
  generation,
  stored,
  name: description?.name ?? null,
  kind: description?.kind ?? null,
  size: description?.size ?? null,
  sha256: description?.sha256 ?? null,
  media: description?.media ?? null,
  writtenAt: description?.writtenAt ?? null
})

/** A place as it is told of: ms and shares of 1, to three digits. */
export const nodeJson = ({ id, domain, isReadOnly, health }: Node) => ({
  id,
  domain,
  isReadOnly,
  state: health.state,
  health: rounded(health.score),
  latency: rounded(health.latency),
  jitter: rounded(health.jitter),
  loss: rounded(health.loss)
})

const rounded = (value: number): number => Math.round(value * 1000) / 1000

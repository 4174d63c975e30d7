import type { CesWorkers } from '../ces/workers/workers.ts'
import type { Log } from '../log.ts'
import type { Node } from '../nodes/node.ts'
import type { Holdings } from './holdings.ts'
import type { ClusterKey } from './keys/cluster-key.ts'
import type { Writer } from './manifest/writer.ts'

/** How new objects are stored. `segment`: bytes; `survive`: domains that may be lost at once. */
export interface Geometry { readonly k: number, readonly m: number, readonly survive: number, readonly segment: number }

/** What the parts of a vault work with. */
export interface VaultContext {
  readonly nodes: readonly Node[]
  readonly workers: CesWorkers
  readonly holdings: Holdings
  readonly geometry: Geometry
  readonly log: Log
  /** ms that a place may be away before its shards are made anew elsewhere */
  readonly grace: number
  /** ms that a block must have been without a manifest before it is collected: a put may be under way elsewhere */
  readonly patience?: number
  /** @throws RelayError RELAY_VAULT_KEY_MISSING */
  readonly key: () => ClusterKey
  /** @throws RelayError RELAY_VAULT_KEY_MISSING */
  readonly writer: () => Promise<Writer>
}

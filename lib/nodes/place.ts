import type { BlockStore } from '../shards/block-store.ts'

/** What a place says of itself. It is kept in the place, so that it is known again whatever it is called. */
export interface PlaceIdentity {
  /** Random, made once */
  readonly id: string
  /** Fingerprint of the key of the vault it belongs to, hex */
  readonly vault: string
}

/** Somewhere shards and manifests are kept. */
export interface Place {
  readonly shards: BlockStore
  readonly manifests: BlockStore
  /** Who it is; null when it belongs to no vault yet. */
  identity (signal?: AbortSignal): Promise<PlaceIdentity | null>
  /**
   * Makes it a place of a vault.
   * @param id the one that it had before it was wiped
   * @throws RelayError RELAY_VAULT_KEY_WRONG when it is another's
   */
  claim (vault: string, id?: string, signal?: AbortSignal): Promise<PlaceIdentity>
  /** Bytes that may still be stored. */
  free (signal?: AbortSignal): Promise<number>
  /** Begins a new day of removed blocks, which are kept for seven. Only where they are kept. */
  turnTrash? (): Promise<void>
  close (): Promise<void>
}

import { createHash } from 'node:crypto'
import { RelayError } from '../../errors.ts'
import type { VaultContext } from '../context.ts'
import { openDescription } from '../describe.ts'
import type { ClusterKey } from '../keys/cluster-key.ts'
import type { Manifest } from '../manifest/manifest.ts'
import type { Description } from '../manifest/schema.ts'
import { getObject } from './get.ts'

/** Says what is wrong with an object's bytes; only called for those of its kind. */
export type Check = (bytes: Uint8Array) => Promise<void>

export interface DrillReport {
  manifest: string
  name: string
  bytes: number
  without: string
  ms: number
}

const CHECKED = 64 * 1024 * 1024 // bytes of the largest object that is held whole to be checked as what it is

/**
 * Restores an object as after a disaster: without one domain, with the key from where recovery would take it.
 * @throws RelayError what a restore would fail with
 */
export async function drill (
  context: VaultContext,
  manifest: Manifest,
  without: string,
  key: ClusterKey,
  checks: Readonly<Record<string, Check>> = {}
): Promise<DrillReport> {
  const begun = performance.now()
  const objectKey = unwrap(manifest, key)
  const { name, kind, size, sha256 } = openDescription(
    manifest.payload.sealed,
    objectKey,
    Buffer.from(manifest.payload.seal, 'hex')
  )
  const hash = createHash('sha256')
  const check = size <= CHECKED ? checks[kind] : undefined
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of getObject(context, manifest, objectKey, { without: node => node.domain === without })) {
    hash.update(piece)
    bytes += piece.length
    if (check !== undefined) pieces.push(piece)
  }
  confirm({ size, sha256 }, bytes, hash.digest('hex'))
  await check?.(Buffer.concat(pieces))
  return { manifest: manifest.id, name, bytes, without, ms: Math.round(performance.now() - begun) }
}

/** The key of an object. @throws RelayError RELAY_VAULT_KEY_WRONG, RELAY_VAULT_KEY_MISSING if only its client has it */
export function unwrap ({ payload: { key, seal } }: Manifest, clusterKey: ClusterKey): Uint8Array {
  if (key.mode === 'client') {
    throw new RelayError('RELAY_VAULT_KEY_MISSING', 'only the client that stored the object has its key')
  }
  return clusterKey.unwrap(Buffer.from(key.wrapped, 'base64url'), Buffer.from(seal, 'hex'), key.fingerprint)
}

/** @throws RelayError RELAY_VAULT_DAMAGED when what came out is not what was put in */
export function confirm ({ size, sha256 }: Pick<Description, 'size' | 'sha256'>, bytes: number, sum: string): void {
  if (bytes !== size || sum !== sha256) {
    throw new RelayError(
      'RELAY_VAULT_DAMAGED',
      `what was read has ${bytes} bytes and the SHA-256 ${sum}; stored were ${size} and ${sha256}`
    )
  }
}

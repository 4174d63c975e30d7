import { RelayError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Node } from '../nodes/node.ts'
import { Holdings } from './holdings.ts'
import { ClusterKey } from './keys/cluster-key.ts'
import { writeKeyFile } from './keys/key-file.ts'

/**
 * Makes the key of a vault, and its places the vault's. A second key for places that hold something would make the
 * first one's data unreadable once it is lost: every place must answer, and hold nothing of another key.
 * @param given the key to bring back (from its recovery text) instead of making one
 * @throws RelayError RELAY_VAULT_UNREACHABLE, RELAY_VAULT_KEY_WRONG
 */
export async function initVault (
  nodes: readonly Node[],
  keyFile: string,
  log: Log,
  given?: ClusterKey
): Promise<ClusterKey> {
  const key = given ?? ClusterKey.random()
  const holdings = new Holdings(log)
  const { silent, unreadable } = await holdings.refresh(nodes)
  if (silent.length > 0) {
    throw new RelayError(
      'RELAY_VAULT_UNREACHABLE',
      `no key is made: ${silent.map(({ id }) => id).join(', ')} did not answer, and may hold the vault of another key`
    )
  }
  if (unreadable.length > 0) {
    throw new RelayError(
      'RELAY_VAULT_KEY_WRONG',
      `no key is made: there are ${unreadable.length} manifests that cannot be read`
    )
  }
  for (const node of nodes) {
    const identity = await node.ask(async place => await place.identity())
    if (identity !== null && identity.vault !== key.fingerprint) throw anothers(node.id, identity.vault)
  }
  for (const {
    payload: { key: of },
    id
  } of holdings.live()) {
    if (of.mode === 'cluster' && of.fingerprint !== key.fingerprint) {
      throw anothers(
        holdings
          .holdersOf(id)
          .map(({ id }) => id)
          .join(', '),
        of.fingerprint
      )
    }
  }
  await writeKeyFile(keyFile, key)
  await claimPlaces(nodes, key.fingerprint)
  return key
}

/** @throws RelayError RELAY_BAD_OPTION when two entries are the same place: it would be counted twice */
export async function claimPlaces (nodes: readonly Node[], vault: string): Promise<Map<string, string>> {
  const ids = new Map<string, string>()
  for (const node of nodes) {
    const { id } = await node.ask(async place => await place.claim(vault))
    const other = [...ids].find(([, known]) => known === id)?.[0]
    if (other !== undefined) throw new RelayError('RELAY_BAD_OPTION', `${other} and ${node.id} are the same place`)
    ids.set(node.id, id)
  }
  return ids
}

const anothers = (place: string, fingerprint: string): RelayError =>
  new RelayError(
    'RELAY_VAULT_KEY_WRONG',
    `no key is made: ${place} holds the vault of the key ${fingerprint}. Bring that one back from its recovery text`
  )

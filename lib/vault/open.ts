import { CesWorkers } from '../ces/workers/workers.ts'
import { RelayError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Node } from '../nodes/node.ts'
import { openNode } from '../nodes/open-node.ts'
import type { Place } from '../nodes/place.ts'
import { Holdings } from './holdings.ts'
import { KeyHolder } from './keys/key-holder.ts'
import { writerOf } from './manifest/writer.ts'
import { VaultService } from './service.ts'
import type { VaultSettings } from './settings.ts'
import { Vault } from './vault.ts'

const PATIENCE = 20 * 3_600_000 // ms, less than from one day's collection to the next

/** The places that the options name, as they are. */
export const openNodes = ({ places, reserve }: VaultSettings): Node[] =>
  places.map(entry => openNode(entry, { reserve }))

/** The vault that the options ask for, with places that must be its own. Nothing is asked of them yet. */
export function openVault (settings: VaultSettings, log: Log): VaultService {
  const { places, reserve, geometry, grace, keyFile } = settings
  const holder = new KeyHolder(keyFile)
  const names = new Map<string, string>()
  /** Makes a place the vault's, if it is nobody's. A place that is two would be counted twice. */
  const own = async (place: Place, name: string, isReadOnly: boolean): Promise<void> => {
    const fingerprint = holder.known?.fingerprint
    if (fingerprint === undefined) return
    const identity = isReadOnly ? await place.identity() : await place.claim(fingerprint)
    if (identity === null) return
    if (identity.vault !== fingerprint) {
      throw new RelayError('RELAY_VAULT_KEY_WRONG', `${name} belongs to the vault of another key (${identity.vault})`)
    }
    const other = names.get(identity.id)
    if (other !== undefined && other !== name) {
      throw new RelayError('RELAY_VAULT_KEY_WRONG', `${other} and ${name} are the same place`)
    }
    names.set(identity.id, name)
  }
  const vault = new Vault({
    nodes: places.map(entry => openNode(entry, {
      reserve, opened: async place => { await own(place, entry.id, entry.readOnly === true) }
    })),
    workers: new CesWorkers(),
    holdings: new Holdings(log),
    geometry,
    grace,
    patience: PATIENCE,
    log,
    key: holder.key,
    writer: async () => await writerOf(holder.key().derive('writer'))
  })
  return new VaultService({ vault, holder, log })
}

import { Gauge, type Registry } from 'prom-client'
import type { VaultService } from './service.ts'
import type { Upkeep } from './upkeep/upkeep.ts'

/** Puts what is known of a vault where Prometheus gets it from. */
export function registerVaultMetrics (vault: VaultService, upkeep: Upkeep, registry: Registry): void {
  const registers = [registry]
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({ name, help, registers, collect () { this.set(read()) } }) // eslint-disable-line no-new
  }
  const ofNodes = (name: string, help: string, read: (node: VaultService['nodes'][number]) => number): void => {
    new Gauge({ // eslint-disable-line no-new
      name,
      help,
      registers,
      labelNames: ['place'],
      collect () {
        for (const node of vault.nodes) this.set({ place: node.id }, read(node))
      }
    })
  }
  gauge('relay_vault_objects', 'Objects in the vault, as far as the places have reported', () => vault.known.length)
  gauge('relay_vault_stored_bytes', 'Bytes of these objects at all places together', () =>
    vault.known.reduce((sum, { stored }) => sum + stored, 0))
  gauge('relay_vault_key', '1 if the relay has the vault’s key', () => vault.hasKey ? 1 : 0)
  ofNodes('relay_vault_place_health', 'How well a place answers, from 0 to 1', ({ health }) => health.score)
  ofNodes('relay_vault_place_active', '1 while the relay reads and writes at a place', ({ health }) =>
    health.state === 'active' ? 1 : 0)
  ofNodes('relay_vault_place_latency_seconds', 'How long a place takes to answer, on average', ({ health }) =>
    health.latency / 1000)
  const when = (name: string, help: string, work: 'scrubbed' | 'drilled' | 'backedUp'): void => {
    gauge(`relay_vault_last_${name}_timestamp_seconds`, `${help}, 0 for never`, () =>
      (upkeep.state?.[work] ?? 0) / 1000)
  }
  when('scrub', 'When the last full scrub finished', 'scrubbed')
  when('drill', 'When an object was last restored in a drill', 'drilled')
  when('backup', 'When everything stored was last backed up into the vault', 'backedUp')
  gauge('relay_vault_damaged_shards', 'Shards found damaged or missing since the start', () => upkeep.damaged)
  gauge('relay_vault_upkeep_failing', 'Kinds of upkeep that failed the last time they ran', () => upkeep.problems.size)
  new Gauge({ // eslint-disable-line no-new
    name: 'relay_vault_incomplete_objects',
    help: 'Objects that lack shards and could not be repaired, by reason',
    registers,
    labelNames: ['state'],
    collect () {
      for (const [state, count] of Object.entries(upkeep.found)) this.set({ state }, count)
    }
  })
}

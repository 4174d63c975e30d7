import { Gauge, type Registry } from 'prom-client'
import type { VaultService } from './service.ts'

/** Puts what is known of a vault where Prometheus gets it from. */
export function registerVaultMetrics (vault: VaultService, registry: Registry): void {
  const registers = [registry]
  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({ name, help, registers, collect () { this.set(read()) } }) // eslint-disable-line no-new
  }
  const ofNodes = (name: string, help: string, read: (node: VaultService['nodes'][number]) => number): void => {
    new Gauge({ name, help, registers, labelNames: ['place'], collect () { for (const node of vault.nodes) this.set({ place: node.id }, read(node)) } }) // eslint-disable-line no-new
  }
  gauge('relay_vault_objects', 'Objects in the vault, as far as places have told', () => vault.known.length)
  gauge('relay_vault_stored_bytes', 'What they take at all places together', () => vault.known.reduce((sum, { stored }) => sum + stored, 0))
  gauge('relay_vault_key', '1 when the vault has its key', () => vault.hasKey ? 1 : 0)
  ofNodes('relay_vault_place_health', 'How well a place answers, 0 to 1', ({ health }) => health.score)
  ofNodes('relay_vault_place_active', '1 while a place is read and written', ({ health }) => health.state === 'active' ? 1 : 0)
  ofNodes('relay_vault_place_latency_seconds', 'How long a place takes to answer, on average', ({ health }) => health.latency / 1000)
}

import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { Options } from '../lib/options.ts'
import { registerVaultMetrics } from '../lib/vault/metrics.ts'
import { openVault } from '../lib/vault/open.ts'
import type { VaultService } from '../lib/vault/service.ts'

declare module 'fastify' {
  interface FastifyInstance { vault: VaultService }
}

/** Encrypted copies in several places. They are asked what they hold once the relay is ready, and nobody waits for it. */
async function vault (fastify: FastifyInstance, options: Options): Promise<void> {
  const { log, metrics } = fastify
  const vault = openVault(options.vault!, log)
  fastify.decorate('vault', vault)
  metrics.include(registry => { registerVaultMetrics(vault, registry) })
  fastify.addHook('onReady', async () => { vault.start() })
  fastify.addHook('onClose', async () => { await vault.close() })
}

export default fp(vault, { name: 'relay-vault', fastify: '5.x', dependencies: ['relay-metrics'] })

import path from 'node:path'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { ObjectBundles } from '../lib/bundles/stores/object-bundles.ts'
import { badOption } from '../lib/errors.ts'
import type { Options } from '../lib/options.ts'
import { backUpInto } from '../lib/vault/backup.ts'
import { registerVaultMetrics } from '../lib/vault/metrics.ts'
import { openVault } from '../lib/vault/open.ts'
import type { VaultService } from '../lib/vault/service.ts'
import { Upkeep } from '../lib/vault/upkeep/upkeep.ts'

declare module 'fastify' {
  interface FastifyInstance { vault: VaultService }
}

/**
 * Encrypted copies in several places, and their upkeep. Places are asked once the relay is ready; nobody waits for it.
 */
async function vault (fastify: FastifyInstance, options: Options): Promise<void> {
  const { log, metrics, objects, storage: { folder } } = fastify
  const settings = options.vault!
  if (settings.nightly !== undefined && (options.store ?? options.adapter) !== undefined) {
    throw badOption('vault.nightly', 'what a host keeps in a store of its own is not backed up by the relay')
  }
  const vault = openVault(settings, log)
  const bundles = {
    bundles: options.bundles ?? folder, ...options.s3 !== undefined && { store: new ObjectBundles(objects) }
  }
  const upkeep = new Upkeep({
    ...settings,
    vault,
    log,
    file: path.join(folder, 'vault', 'upkeep.json'),
    backUp: async () => await backUpInto(vault, { storage: folder, ...bundles })
  })
  fastify.decorate('vault', vault)
  metrics.include(registry => { registerVaultMetrics(vault, upkeep, registry) })
  fastify.addHook('onReady', async () => {
    vault.start()
    upkeep.start()
  })
  fastify.addHook('onClose', async () => { await Promise.all([upkeep.close(), vault.close()]) })
}

export default fp(vault, {
  name: 'relay-vault', fastify: '5.x', dependencies: ['relay-metrics', 'relay-objects', 'relay-storage']
})

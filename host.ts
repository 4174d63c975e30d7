import type { Repo } from '@automerge/automerge-repo'
import type { FastifyInstance } from 'fastify'
import { RelayError } from './lib/errors.ts'
import { hostBundles, hostSync, type HostBundles, type HostSync } from './lib/host.ts'
import type { RelayOptions } from './lib/options.ts'

/** A relay, and what its host may use of it. Parts are there once it is registered and loaded. */
export interface Relay {
  /** The relay, to be registered once: `app.register(relay.plugin, { prefix: '/sync', storage: './data' })`. */
  readonly plugin: (fastify: FastifyInstance, options: RelayOptions) => Promise<void>
  /**
   * An automerge-repo `Repo` that is a peer of this relay. It is made when it is first used.
   * @throws RelayError RELAY_NOT_READY, RELAY_CLOSING
   */
  readonly repo: Repo
  /** @throws RelayError RELAY_NOT_READY */
  readonly bundles: HostBundles
  /** @throws RelayError RELAY_NOT_READY */
  readonly sync: HostSync
}

/** A relay whose host can reach into it. @param register registers all that it is made of, `relay-repo` too */
export function hosted (register: Relay['plugin']): Relay {
  let isRegistered = false
  let loaded: Omit<Relay, 'plugin'> | undefined
  const plugin: Relay['plugin'] = async function relay (fastify, given) {
    if (isRegistered) {
      throw new RelayError('RELAY_BAD_OPTION', 'this relay is registered already: createRelay() makes one')
    }
    isRegistered = true
    await register(fastify, given)
    fastify.after(() => {
      loaded = {
        bundles: hostBundles(fastify.bundles),
        sync: hostSync(fastify.sync),
        get repo () {
          return fastify.repo
        }
      }
    })
  }
  const parts = (): Omit<Relay, 'plugin'> => {
    if (loaded === undefined) {
      throw new RelayError(
        'RELAY_NOT_READY', 'the relay is not loaded: await app.register(relay.plugin) or app.ready() first'
      )
    }
    return loaded
  }
  return {
    plugin,
    get repo () {
      return parts().repo
    },
    get bundles () { return parts().bundles },
    get sync () { return parts().sync }
  }
}

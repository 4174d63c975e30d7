import { RelayError } from '../errors.ts'
import { RelayBlocks } from '../shards/relay-blocks.ts'
import { RelayRequests } from '../shards/relay-requests.ts'
import type { Place, PlaceIdentity } from './place.ts'

/** Another relay as a place, which shares its room: `<url>/vault/…`. */
export class RelayPlace implements Place {
  readonly shards: RelayBlocks
  readonly manifests: RelayBlocks
  readonly #requests: RelayRequests

  constructor ({ url, token, timeout }: { url: string; token?: string | undefined; timeout?: number | undefined }) {
    const of = (name: string): RelayRequests =>
      new RelayRequests({ url: `${url.replace(/\/$/, '')}/vault/${name}`, token, timeout })
    this.shards = new RelayBlocks(of('shards'))
    this.manifests = new RelayBlocks(of('manifests'))
    this.#requests = of('place')
  }

  async identity (signal?: AbortSignal): Promise<PlaceIdentity | null> {
    const { id, vault } = await this.#requests.json('GET', '', signal)
    if (vault === null) return null
    if (typeof id !== 'string' || typeof vault !== 'string') throw this.#requests.strange()
    return { id, vault }
  }

  async claim (vault: string, known?: string, signal?: AbortSignal): Promise<PlaceIdentity> {
    const claimed = await this.#requests.json('PUT', '', signal, { vault, id: known })
    const { id } = claimed
    if (typeof id !== 'string' || claimed['vault'] !== vault) {
      throw new RelayError('RELAY_VAULT_KEY_WRONG', 'the relay belongs to the vault of another key')
    }
    return { id, vault }
  }

  async free (signal?: AbortSignal): Promise<number> {
    const { free } = await this.#requests.json('GET', '', signal)
    if (typeof free !== 'number') throw this.#requests.strange()
    return free
  }

  async close (): Promise<void> {}
}

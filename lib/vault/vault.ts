import { randomInt } from 'node:crypto'
import { RelayError } from '../errors.ts'
import type { Node } from '../nodes/node.ts'
import type { VaultContext } from './context.ts'
import { openDescription } from './describe.ts'
import type { View } from './holdings.ts'
import type { ClusterKey } from './keys/cluster-key.ts'
import { readManifest, shardName, sign, type Manifest } from './manifest/manifest.ts'
import type { Description } from './manifest/schema.ts'
import { isKept } from './placement.ts'
import { collect, type CollectReport } from './operations/collect.ts'
import { drill, unwrap, type Check, type DrillReport } from './operations/drill.ts'
import { getObject } from './operations/get.ts'
import { putObject, storeEverywhere, type About, type Content } from './operations/put.ts'
import { repair, type RepairOptions, type RepairReport } from './operations/repair.ts'
import { scrub, type ScrubOptions, type ScrubReport } from './operations/scrub.ts'

/** An object as it is listed. `description` is null where only its client has the key, or the key is another's. */
export interface VaultEntry {
  readonly id: string
  readonly generation: number
  readonly stored: number
  readonly description: Description | null
}

/** Where a segment's shards are: places by index, and whether the promise is kept. */
export interface SegmentInfo {
  readonly number: number
  readonly codec: number
  readonly plain: number
  readonly places: string[][]
  readonly isKept: boolean
}

/** Encrypted, erasure-coded copies in several places. */
export class Vault {
  readonly #context: VaultContext
  readonly #checks: Readonly<Record<string, Check>>
  readonly #suspects = new Map<string, number>()

  constructor (context: VaultContext, checks: Readonly<Record<string, Check>> = {}) {
    this.#context = context
    this.#checks = checks
  }

  get nodes (): readonly Node[] {
    return this.#context.nodes
  }

  /** Shards that the objects that are known have. */
  get shards (): number {
    return this.#context.holdings.live()
      .reduce((sum, { segments }) => sum + segments.reduce((all, { names }) => all + names.length, 0), 0)
  }

  /** Asks every place what it holds: once before anything else, and to see what others have stored. */
  async refresh (): Promise<View> {
    return await this.#context.holdings.refresh(this.#context.nodes)
  }

  /** See `putObject`. */
  async put (
    source: Content,
    about: About,
    { clientKey, signal }: { clientKey?: Uint8Array | undefined; signal?: AbortSignal | undefined } = {}
  ): Promise<Manifest> {
    const before = clientKey === undefined ? this.#newest(about.name) : undefined
    return await putObject(this.#context, source, about, { before, clientKey, signal })
  }

  /** What an object is, and its bytes. @throws RelayError RELAY_VAULT_NOT_FOUND, RELAY_VAULT_KEY_WRONG */
  get (
    id: string,
    { clientKey, signal }: { clientKey?: Uint8Array | undefined; signal?: AbortSignal | undefined } = {}
  ): { description: Description; bytes: AsyncGenerator<Uint8Array> } {
    const manifest = this.#manifest(id)
    const key = clientKey ?? unwrap(manifest, this.#context.key())
    const description = openDescription(manifest.payload.sealed, key, Buffer.from(manifest.payload.seal, 'hex'))
    return { description, bytes: getObject(this.#context, manifest, key, { signal }) }
  }

  /** All objects, the newest of each name first. */
  list (): VaultEntry[] {
    const entries = this.#context.holdings.live().map(manifest => ({
      id: manifest.id,
      generation: manifest.payload.generation,
      stored: manifest.segments.reduce(
        (sum, { k, m, length }) => sum + (k + m) * (32 + length),
        manifest.bytes.length
      ),
      description: this.#describe(manifest)
    }))
    const nameOf = ({ description }: VaultEntry): string => description?.name ?? ''
    return entries.sort((a, b) =>
      nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : b.generation - a.generation
    )
  }

  /** Where an object is. @throws RelayError RELAY_VAULT_NOT_FOUND */
  info (id: string): { entry: VaultEntry; segments: SegmentInfo[] } {
    const {
      payload: { survive },
      segments
    } = this.#manifest(id)
    const { holdings } = this.#context
    return {
      entry: this.list().find(entry => entry.id === id)!,
      segments: segments.map(segment => {
        const holders = [...segment.names.keys()].map(index => holdings.holdersOf(shardName(segment, index)))
        const domains = holders.flatMap(nodes => nodes.slice(0, 1).map(({ domain }) => domain))
        const { number, codec, plain } = segment
        return {
          number,
          codec,
          plain,
          places: holders.map(nodes => nodes.map(({ id }) => id)),
          isKept: isKept(domains, { ...segment, survive })
        }
      })
    }
  }

  /** Forgets an object; its shards are collected. @throws RelayError RELAY_VAULT_NOT_FOUND, RELAY_VAULT_UNHAPPY */
  async forget (id: string): Promise<void> {
    this.#manifest(id)
    const bytes = await sign('tombstone', { v: 1, forgets: id }, await this.#context.writer())
    await storeEverywhere(
      this.#context,
      bytes,
      this.#context.nodes.filter(({ isReadOnly }) => !isReadOnly)
    )
    const read = await readManifest(bytes)
    if ('tombstone' in read) this.#context.holdings.addTombstone(read.tombstone)
  }

  /** Repairs all, or one. */
  async repair (options: RepairOptions & { id?: string } = {}): Promise<RepairReport> {
    await this.refresh()
    return await repair(
      this.#context,
      options.id === undefined ? this.#context.holdings.live() : [this.#manifest(options.id)],
      options
    )
  }

  /** Has every place read its shards. */
  async scrub (options: ScrubOptions = {}): Promise<ScrubReport> {
    await this.refresh()
    return await scrub(this.#context, options)
  }

  /**
   * Restores one object at random without a domain at random.
   * @param key from where recovery would take it
   * @returns null when there is no object with a key of the cluster
   */
  async drill (key: ClusterKey): Promise<DrillReport | null> {
    const manifests = this.#context.holdings.live().filter(({ payload }) => payload.key.mode === 'cluster')
    if (manifests.length === 0) return null
    const domains = [...new Set(this.nodes.map(({ domain }) => domain))]
    return await drill(
      this.#context,
      manifests[randomInt(manifests.length)]!,
      domains[randomInt(domains.length)]!,
      key,
      this.#checks
    )
  }

  /** See `collect`. */
  async collect (): Promise<CollectReport> {
    return await collect(this.#context, this.#suspects)
  }

  async close (): Promise<void> {
    await this.#context.workers.close()
    await Promise.all(
      this.nodes.map(async node => {
        await node.close()
      })
    )
  }

  #manifest (id: string): Manifest {
    const manifest = this.#context.holdings.manifest(id)
    if (manifest === undefined) throw new RelayError('RELAY_VAULT_NOT_FOUND', 'the vault has no such object')
    return manifest
  }

  #newest (name: string): Manifest | undefined {
    const entry = this.list().find(({ description }) => description?.name === name)
    return entry && this.#manifest(entry.id)
  }

  #describe (manifest: Manifest): Description | null {
    try {
      return openDescription(
        manifest.payload.sealed,
        unwrap(manifest, this.#context.key()),
        Buffer.from(manifest.payload.seal, 'hex')
      )
    } catch (error) {
      if (error instanceof RelayError) return null
      throw error
    }
  }
}

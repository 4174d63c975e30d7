import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Node } from '../nodes/node.ts'
import { blockName } from '../shards/block-name.ts'
import { allBlocks } from '../shards/block-store.ts'
import { readManifest, type Manifest, type Tombstone } from './manifest/manifest.ts'

const DEADLINE = 60_000 // ms for one place to tell what it holds

/** What asking every place has shown. */
export interface View {
  /** Places that did not tell what they hold */
  readonly silent: readonly Node[]
  /** Manifests that no place has a readable copy of */
  readonly unreadable: readonly string[]
}

/** Which place holds what. Places tell it; it can be lost at any time. */
export class Holdings {
  readonly #log: Log
  /** By the name of a shard or the id of a manifest */
  readonly #holders = new Map<string, Set<Node>>()
  readonly #manifests = new Map<string, Manifest>()
  readonly #tombstones = new Map<string, Tombstone>()
  readonly #told = new Set<Node>()
  /** Shards of puts that are under way: nobody refers to them yet. */
  readonly pending = new Set<string>()

  constructor (log: Log) {
    this.#log = log
  }

  holdersOf (name: string): Node[] {
    return [...(this.#holders.get(name) ?? [])]
  }

  add (name: string, node: Node): void {
    const holders = this.#holders.get(name)
    if (holders === undefined) this.#holders.set(name, new Set([node]))
    else holders.add(node)
  }

  drop (name: string, node: Node): void {
    this.#holders.get(name)?.delete(node)
  }

  addManifest (manifest: Manifest): void {
    this.#manifests.set(manifest.id, manifest)
  }

  addTombstone (tombstone: Tombstone): void {
    this.#tombstones.set(tombstone.payload.forgets, tombstone)
  }

  manifest (id: string): Manifest | undefined {
    return this.isForgotten(id) ? undefined : this.#manifests.get(id)
  }

  /** Whether a tombstone by the manifest's own writer says so. */
  isForgotten (id: string): boolean {
    const tombstone = this.#tombstones.get(id)
    return tombstone !== undefined && tombstone.writer === (this.#manifests.get(id)?.writer ?? tombstone.writer)
  }

  /** Manifests of objects that are not forgotten. */
  live (): Manifest[] {
    return [...this.#manifests.values()].filter(({ id }) => !this.isForgotten(id))
  }

  tombstones (): Tombstone[] {
    return [...this.#tombstones.values()]
  }

  /** Whether a place has ever told what it holds. */
  hasTold (node: Node): boolean {
    return this.#told.has(node)
  }

  /** All names that a place is known to hold. */
  * of (node: Node): Generator<string> {
    for (const [name, holders] of this.#holders) if (holders.has(node)) yield name
  }

  /** Asks every place what it holds. What a place that is silent was known to hold stays known. */
  async refresh (nodes: readonly Node[]): Promise<View> {
    const told = await Promise.all(nodes.map(async node => await this.#ask(node)))
    const ids = new Set(told.flatMap(lists => lists?.manifests ?? []))
    const unreadable: string[] = []
    for (const id of ids) if (!(await this.#readManifest(id))) unreadable.push(id)
    return { silent: nodes.filter((_, at) => told[at] === undefined), unreadable }
  }

  async #ask (node: Node): Promise<{ manifests: string[] } | undefined> {
    const signal = AbortSignal.timeout(DEADLINE)
    try {
      const lists = await node.ask(
        async ({ shards, manifests }) => ({
          shards: await namesOf(allBlocks(shards, undefined, signal)),
          manifests: await namesOf(allBlocks(manifests, undefined, signal))
        }),
        signal
      )
      const held = new Set([...lists.shards, ...lists.manifests])
      for (const name of this.of(node)) if (!held.has(name)) this.drop(name, node)
      for (const name of held) this.add(name, node)
      this.#told.add(node)
      return lists
    } catch (error) {
      this.#log.warn(
        { place: node.id, err: error },
        `place ${node.id} does not tell what it holds: ${messageOf(error)}`
      )
      return undefined
    }
  }

  async #readManifest (id: string): Promise<boolean> {
    if (this.#manifests.has(id) || this.tombstones().some(tombstone => tombstone.id === id)) return true
    for (const node of this.holdersOf(id)) {
      try {
        const bytes = await node.ask(async ({ manifests }) => await manifests.read(id))
        if (blockName(bytes) !== id) {
          node.wrongShard()
          this.drop(id, node)
          continue
        }
        const read = await readManifest(bytes)
        if ('manifest' in read) this.addManifest(read.manifest)
        else this.addTombstone(read.tombstone)
        return true
      } catch (error) {
        this.#log.warn(
          { place: node.id, manifest: id, err: error },
          `manifest ${id} cannot be read at ${node.id}: ${messageOf(error)}`
        )
      }
    }
    return false
  }
}

async function namesOf (blocks: AsyncIterable<{ name: string }>): Promise<string[]> {
  const names: string[] = []
  for await (const { name } of blocks) names.push(name)
  return names
}

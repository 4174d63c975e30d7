import { messageOf } from '../../errors.ts'
import type { Segment } from '../../ces/segment.ts'
import type { Node } from '../../nodes/node.ts'
import type { BlockStore } from '../../shards/block-store.ts'
import type { VaultContext } from '../context.ts'
import type { Holdings } from '../holdings.ts'
import { shardName, type Manifest } from '../manifest/manifest.ts'
import { isKept } from '../placement.ts'
import { readShards } from './read-shards.ts'
import { Rooms, storeShards } from './store-shards.ts'

/** What there is of a segment, by index. `away`: at places that do not answer now. */
interface Presence {
  present: Map<number, Node[]>
  away: number[]
  lost: number[]
}

/**
 * whole: all is at its places. waiting: some is at places that are away for now. irreparable: fewer than k shards
 * anywhere. misplaced: whole, but the loss of fewer domains than promised would take it.
 */
export type ObjectState = 'whole' | 'repaired' | 'waiting' | 'unreachable' | 'irreparable' | 'misplaced'

export interface RepairReport {
  objects: number
  /** Shards that were made anew, their bytes */
  shards: number
  bytes: number
  /** Ids of manifests by what became of them; the whole ones are only counted */
  found: Record<Exclude<ObjectState, 'whole' | 'repaired'>, string[]>
  repaired: number
}

export interface RepairOptions {
  /** Makes anew at once what is away, too */
  now?: boolean | undefined
  signal?: AbortSignal | undefined
  progress?: ((done: number, of: number) => void) | undefined
}

/** Gives objects back what they lack, the thinnest first. Nobody's key is needed. It ends when each has a state. */
export async function repair (
  context: VaultContext,
  manifests: readonly Manifest[],
  { now = false, signal, progress }: RepairOptions = {}
): Promise<RepairReport> {
  const report: RepairReport = {
    objects: manifests.length,
    shards: 0,
    bytes: 0,
    repaired: 0,
    found: { waiting: [], unreachable: [], irreparable: [], misplaced: [] }
  }
  const rooms = await Rooms.ask(context.nodes, signal)
  const ranked = manifests.map(manifest => ({ manifest, thinnest: thinnestOf(context, manifest) }))
  ranked.sort((a, b) => a.thinnest - b.thinnest)
  for (const [done, { manifest }] of ranked.entries()) {
    signal?.throwIfAborted()
    const state = await repairObject(context, rooms, manifest, report, now, signal)
    if (state === 'repaired') report.repaired++
    else if (state !== 'whole') report.found[state].push(manifest.id)
    progress?.(done + 1, ranked.length)
  }
  return report
}

async function repairObject (
  context: VaultContext,
  rooms: Rooms,
  manifest: Manifest,
  report: RepairReport,
  now: boolean,
  signal?: AbortSignal
): Promise<ObjectState> {
  const states = new Set<ObjectState>()
  for (const segment of manifest.segments) {
    try {
      states.add(await repairSegment(context, rooms, manifest, segment, report, now, signal))
    } catch (error) {
      signal?.throwIfAborted()
      context.log.warn(
        { manifest: manifest.id, err: error },
        `segment ${segment.number} is not repaired: ${messageOf(error)}`
      )
      states.add('waiting')
    }
  }
  if (await spreadManifest(context, manifest, signal)) states.add('repaired')
  const worst: ObjectState[] = ['irreparable', 'unreachable', 'waiting', 'misplaced', 'repaired']
  return worst.find(state => states.has(state)) ?? 'whole'
}

async function repairSegment (
  context: VaultContext,
  rooms: Rooms,
  { payload }: Manifest,
  segment: Segment,
  report: RepairReport,
  now: boolean,
  signal?: AbortSignal
): Promise<ObjectState> {
  const { k, m, seal, number } = segment
  const { present, away, lost } = await look(context, segment, signal)
  const survive = payload.survive
  if (lost.length + away.length === 0) {
    return isKept(
      [...present.values()].map(nodes => nodes[0]!.domain),
      { k, m, survive }
    )
      ? 'whole'
      : 'misplaced'
  }
  if (present.size < k) return present.size + away.length < k ? 'irreparable' : 'unreachable'
  // a place that is away for a while comes back with what it has: no storm of repairs after a reboot
  const wanted =
    now || present.size <= k + 1
      ? [...lost, ...away]
      : [...lost, ...away.filter(index => isGone(context, segment, index))]
  if (wanted.length === 0) return 'waiting'
  const files = await readShards(context, segment, {
    signal,
    except: wanted,
    found: (index, node) => {
      context.holdings.drop(shardName(segment, index), node)
    }
  })
  const made = await context.workers.rebuild(files, segment, wanted, signal)
  const named = new Map(
    wanted.map((index, at) => [index, { name: shardName(segment, index), bytes: made.files[at]! }])
  )
  const held = [...present.values()].map(nodes => nodes[0]!)
  await storeShards(context, rooms, named, {
    seed: `${Buffer.from(seal).toString('hex')}:${number}`,
    k,
    m,
    survive,
    held,
    signal
  })
  report.shards += wanted.length
  report.bytes += made.files.reduce((sum, { length }) => sum + length, 0)
  return wanted.length < lost.length + away.length ? 'waiting' : 'repaired'
}

/** Asks places for the shards they are known to have: files that they have looked at, not what an index says. */
async function look ({ nodes, holdings }: VaultContext, segment: Segment, signal?: AbortSignal): Promise<Presence> {
  const names = segment.names.map((_, index) => shardName(segment, index))
  const present = new Map<number, Node[]>()
  const away = new Set<number>()
  await Promise.all(
    nodes.map(async node => {
      const held = names.filter(name => holdings.holdersOf(name).includes(node))
      if (held.length === 0) return
      const missing =
        node.health.state === 'dead' ? undefined : await missingAt(node, ({ shards }) => shards, held, signal)
      for (const name of held) {
        const index = names.indexOf(name)
        if (missing === undefined) away.add(index)
        else if (missing.includes(name)) holdings.drop(name, node)
        else present.set(index, [...(present.get(index) ?? []), node])
      }
    })
  )
  // a place that has not told yet what it holds may hold what no other does
  if (untold(nodes, holdings).length > 0) {
    for (const [index, name] of names.entries()) if (holdings.holdersOf(name).length === 0) away.add(index)
  }
  for (const index of present.keys()) away.delete(index)
  const lost = names.map((_, index) => index).filter(index => !present.has(index) && !away.has(index))
  return { present, away: [...away].sort((a, b) => a - b), lost }
}

/** @returns undefined when the place does not answer */
async function missingAt (
  node: Node,
  which: (place: { shards: BlockStore; manifests: BlockStore }) => BlockStore,
  names: string[],
  signal?: AbortSignal
): Promise<string[] | undefined> {
  try {
    return await node.ask(async place => await which(place).missing(names, signal), signal)
  } catch {
    signal?.throwIfAborted()
    return undefined // its health knows
  }
}

/** Places that may hold anything: they have not told since the start, and nobody has given them up. */
const untold = (nodes: readonly Node[], holdings: Holdings): Node[] =>
  nodes.filter(node => !holdings.hasTold(node) && node.health.state !== 'dead')

function isGone ({ nodes, holdings, grace }: VaultContext, segment: Segment, index: number): boolean {
  const holders = holdings.holdersOf(shardName(segment, index))
  return (holders.length > 0 ? holders : untold(nodes, holdings))
    .every(({ health }) => health.state === 'dead' || health.silentFor(performance.now()) >= grace)
}

/** Every place that has a shard of it has the manifest, too. */
async function spreadManifest (
  { holdings, log }: VaultContext,
  manifest: Manifest,
  signal?: AbortSignal
): Promise<boolean> {
  const holders = new Set(
    manifest.segments.flatMap(segment =>
      segment.names.flatMap((_, index) => holdings.holdersOf(shardName(segment, index)))
    )
  )
  let wasMissing = false
  for (const node of holders) {
    const missing = await missingAt(node, ({ manifests }) => manifests, [manifest.id], signal)
    if (missing?.length !== 1) continue
    try {
      await node.ask(async ({ manifests }) => {
        await manifests.put(manifest.id, manifest.bytes, signal)
      }, signal)
      holdings.add(manifest.id, node)
      wasMissing = true
    } catch (error) {
      signal?.throwIfAborted()
      log.warn({ place: node.id, err: error }, `a manifest does not get to ${node.id}: ${messageOf(error)}`)
    }
  }
  return wasMissing
}

/** Shards above k of the segment that has the fewest. */
const thinnestOf = ({ holdings }: VaultContext, { segments }: Manifest): number =>
  Math.min(
    ...segments.map(
      segment =>
        segment.names.filter((_, index) => holdings.holdersOf(shardName(segment, index)).length > 0).length -
        segment.k
    )
  )

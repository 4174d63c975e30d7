import { messageOf } from '../../errors.ts'
import type { Node } from '../../nodes/node.ts'
import type { VaultContext } from '../context.ts'
import { shardName, type Manifest } from '../manifest/manifest.ts'
import { repair, type RepairReport } from './repair.ts'

const BATCH = 100 // shards a place is asked to read at once

export interface ScrubReport {
  /** Shards that were read where they are */
  looked: number
  /** Names and places of those that were damaged, read twice, and of those that were not there */
  damaged: Array<{ name: string; place: string }>
  /** `place` is null where no place says that it has it */
  missing: Array<{ name: string; place: string | null }>
  /** Places that did not answer */
  silent: string[]
  healed: RepairReport
  /** Where to go on, undefined when all has been looked at */
  position: string | undefined
}

export interface ScrubOptions {
  /** Name after which to go on: names are random, so their order is */
  after?: string | undefined
  /** Shards at most */
  most?: number | undefined
  signal?: AbortSignal | undefined
}

/** Has places read the shards that objects need, and makes good what is wrong. */
export async function scrub (
  context: VaultContext,
  { after = '', most = Infinity, signal }: ScrubOptions = {}
): Promise<ScrubReport> {
  const owners = new Map<string, Manifest>()
  for (const manifest of context.holdings.live()) {
    for (const segment of manifest.segments) {
      for (const index of segment.names.keys()) owners.set(shardName(segment, index), manifest)
    }
  }
  const due = [...owners.keys()].filter(name => name > after).sort()
  const names = due.slice(0, most)
  const report: ScrubReport = {
    looked: 0,
    damaged: [],
    missing: [],
    silent: context.nodes.filter(node => !context.holdings.hasTold(node)).map(({ id }) => id),
    position: names.length < due.length ? names.at(-1) : undefined,
    healed: await repair(context, [])
  }
  await Promise.all(
    context.nodes.map(async node => {
      await scrubPlace(context, node, names, report, signal)
    })
  )
  for (const name of names) {
    if (report.silent.length > 0 || context.holdings.holdersOf(name).length > 0) continue
    if (!report.missing.some(other => other.name === name)) report.missing.push({ name, place: null })
  }
  const broken = new Set([...report.damaged, ...report.missing].map(({ name }) => owners.get(name)!))
  report.healed = await repair(context, [...broken], { signal })
  return report
}

async function scrubPlace (
  { holdings, log }: VaultContext,
  node: Node,
  names: readonly string[],
  report: ScrubReport,
  signal?: AbortSignal
): Promise<void> {
  const held = names.filter(name => holdings.holdersOf(name).includes(node))
  try {
    for (let at = 0; at < held.length; at += BATCH) {
      const states = await node.ask(
        async ({ shards }) => await shards.verify(held.slice(at, at + BATCH), signal),
        signal
      )
      for (const [name, state] of states) {
        report.looked++
        if (state === 'whole') continue
        report[state].push({ name, place: node.id })
        log.warn({ place: node.id, shard: name }, `a shard at ${node.id} is ${state}`)
        if (state === 'damaged') {
          node.wrongShard()
          await node.ask(async ({ shards }) => {
            await shards.remove(name, signal)
          }, signal)
        }
        holdings.drop(name, node)
      }
    }
  } catch (error) {
    signal?.throwIfAborted()
    report.silent.push(node.id)
    log.warn({ place: node.id, err: error }, `${node.id} cannot be scrubbed: ${messageOf(error)}`)
  }
}

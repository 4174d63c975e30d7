import { RelayError, messageOf } from '../../errors.ts'
import type { Segment } from '../../ces/segment.ts'
import type { Node } from '../../nodes/node.ts'
import { blockName } from '../../shards/block-name.ts'
import type { VaultContext } from '../context.ts'
import { shardName } from '../manifest/manifest.ts'

const LEAST_PATIENCE = 50 // ms before a spare is asked
const DEADLINE = 60_000 // ms for a segment: a disk that hangs answers neither yes nor no
const LATE = 3 // times as long as the place usually takes

export interface ReadOptions {
  /** Places that are not asked */
  without?: (node: Node) => boolean
  /** Indexes that are not asked for */
  except?: readonly number[]
  /** Called with what was not as it should be */
  found?: (index: number, node: Node, what: 'missing' | 'damaged') => void
  signal?: AbortSignal | undefined
}

interface Candidate {
  index: number
  node: Node
}

/**
 * Any k shards of a segment that are what their names say, from the places that answer best. When one takes longer than
 * it usually does, a spare is asked; as soon as there are k, the others are given up.
 * @throws RelayError RELAY_VAULT_LOST for too few anywhere, RELAY_VAULT_UNREACHABLE when others may have some
 */
export async function readShards (
  context: VaultContext,
  segment: Segment,
  options: ReadOptions = {}
): Promise<Map<number, Uint8Array>> {
  const { signal } = options
  signal?.throwIfAborted()
  const aborter = new AbortController()
  const all = signal === undefined ? aborter.signal : AbortSignal.any([signal, aborter.signal])
  const candidates = candidatesOf(context, segment, options)
  const files = new Map<number, Uint8Array>()
  const asked = new Set<number>()
  let away = 0
  return await new Promise((resolve, reject) => {
    let running = 0
    const timers = new Set<NodeJS.Timeout>()
    timers.add(
      setTimeout(() => {
        end(() => {
          reject(tooFew(segment, files.size, away + running))
        })
      }, DEADLINE)
    )
    const end = (settle: () => void): void => {
      for (const timer of timers) clearTimeout(timer)
      settle()
      aborter.abort()
    }
    const next = (): void => {
      const at = candidates.findIndex(({ index }) => !files.has(index) && !asked.has(index))
      if (at === -1) {
        if (running === 0 && files.size < segment.k) {
          end(() => {
            reject(tooFew(segment, files.size, away))
          })
        }
        return
      }
      const [{ index, node }] = candidates.splice(at, 1) as [Candidate]
      asked.add(index)
      running++
      const timer = setTimeout(next, Math.max(LEAST_PATIENCE, LATE * node.health.latency))
      timers.add(timer)
      read(node, shardName(segment, index), all)
        .then(
          bytes => {
            running--
            if (bytes === 'missing' || bytes === 'damaged') {
              options.found?.(index, node, bytes)
              asked.delete(index) // another place may have it
            } else files.set(index, bytes)
            if (files.size >= segment.k) {
              end(() => {
                resolve(files)
              })
            } else if (bytes === 'missing' || bytes === 'damaged' || running === 0) next()
          },
          error => {
            running--
            if (all.aborted) {
              if (signal?.aborted === true) {
                end(() => {
                  reject(new DOMException('given up', 'AbortError'))
                })
              }
              return
            }
            context.log.debug(
              { place: node.id, err: error },
              `a shard cannot be read at ${node.id}: ${messageOf(error)}`
            )
            away++
            asked.delete(index)
            next()
          }
        )
        .finally(() => {
          clearTimeout(timer)
        })
    }
    for (let n = 0; n < segment.k; n++) next()
  })
}

async function read (node: Node, name: string, signal: AbortSignal): Promise<Uint8Array | 'missing' | 'damaged'> {
  for (let reading = 1; ; reading++) {
    let bytes: Uint8Array
    try {
      bytes = await node.ask(async ({ shards }) => await shards.read(name, signal), signal)
    } catch (error) {
      if (error instanceof RelayError && error.code === 'RELAY_SHARD_NOT_FOUND') return 'missing'
      throw error
    }
    if (blockName(bytes) === name) return bytes
    if (reading < 2) continue // the fault may have been the memory's
    node.wrongShard()
    return 'damaged'
  }
}

/** Best first: active before quarantined, quick before slow, data before parity. */
function candidatesOf (
  { holdings }: VaultContext,
  segment: Segment,
  { without, except = [] }: ReadOptions
): Candidate[] {
  const candidates = segment.names.flatMap((_, index) =>
    except.includes(index)
      ? []
      : holdings
        .holdersOf(shardName(segment, index))
        .filter(node => without?.(node) !== true)
        .map(node => ({ index, node }))
  )
  const rank = ({ node: { health } }: Candidate): number =>
    health.state === 'active' ? 0 : health.state === 'quarantined' ? 1 : 2
  const quality = ({ node: { health } }: Candidate): number => Math.round(health.score * 10)
  return candidates.sort((a, b) => rank(a) - rank(b) || quality(b) - quality(a) || a.index - b.index)
}

function tooFew ({ k, number }: Segment, found: number, away: number): RelayError {
  return away === 0
    ? new RelayError(
      'RELAY_VAULT_LOST',
        `segment ${number} has ${found} shards of the ${k} it needs, and every place that may have some was asked`
    )
    : new RelayError(
      'RELAY_VAULT_UNREACHABLE',
        `segment ${number} has ${found} shards of the ${k} it needs: ${away} are at places that do not answer now`
    )
}

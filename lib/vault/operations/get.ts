import type { Segment } from '../../ces/segment.ts'
import type { VaultContext } from '../context.ts'
import type { Manifest } from '../manifest/manifest.ts'
import { readShards, type ReadOptions } from './read-shards.ts'

/** Segments that are read while the one before is given out. */
const AHEAD = 2

/**
 * The plaintext of an object, segment by segment. Nothing of a segment comes out before all of it was opened.
 * @throws RelayError RELAY_VAULT_LOST, RELAY_VAULT_UNREACHABLE, RELAY_VAULT_DAMAGED
 */
export async function * getObject (
  context: VaultContext,
  { segments }: Manifest,
  key: Uint8Array,
  options: ReadOptions = {}
): AsyncGenerator<Uint8Array> {
  const aborter = new AbortController()
  const signal = options.signal === undefined ? aborter.signal : AbortSignal.any([options.signal, aborter.signal])
  const read = async (segment: Segment): Promise<Uint8Array> => {
    const files = await readShards(context, segment, { ...options, signal })
    return (await context.workers.decode(files, key, segment, signal)).plain
  }
  const underWay: Array<Promise<Uint8Array>> = []
  try {
    for (let next = 0; next < segments.length || underWay.length > 0;) {
      while (underWay.length < AHEAD && next < segments.length) {
        const task = read(segments[next++]!)
        task.catch(() => {}) // it is waited for below
        underWay.push(task)
      }
      yield await underWay.shift()!
    }
  } finally {
    aborter.abort()
    await Promise.allSettled(underWay)
  }
}

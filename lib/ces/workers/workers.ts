import { availableParallelism } from 'node:os'
import { RelayError } from '../../errors.ts'
import { ThreadPool } from '../../threads/thread-pool.ts'
import type { SegmentId } from '../format/segment-header.ts'
import type { EncodedSegment, Segment, WrongShard } from '../segment.ts'
import type { Job, Jobs, Outcome } from './worker.ts'

export interface CesWorkersOptions {
  /** Threads at most; they start when needed. */
  threads?: number
}

const IDLE_MS = 5_000 // ms without work after which a thread ends

/** `SegmentCoder` on threads: nothing here holds the caller's thread. What is given is moved away, not copied. */
export class CesWorkers {
  readonly threads: number
  readonly #pool: ThreadPool

  constructor ({ threads = Math.max(1, Math.min(4, availableParallelism() - 1)) }: CesWorkersOptions = {}) {
    this.threads = threads
    this.#pool = new ThreadPool(new URL('./worker', import.meta.url), { threads, idleTimeout: IDLE_MS })
  }

  /** See SegmentCoder. `plain` is gone afterwards. */
  async encode (plain: Uint8Array, key: Uint8Array, id: SegmentId, signal?: AbortSignal): Promise<EncodedSegment> {
    return await this.#run('encode', [plain, key, id], [plain], signal)
  }

  /** See SegmentCoder. The files are gone afterwards. */
  async decode (
    files: Map<number, Uint8Array>,
    key: Uint8Array,
    segment: Segment,
    signal?: AbortSignal
  ): Promise<{ plain: Uint8Array; wrong: WrongShard[] }> {
    return await this.#run('decode', [files, key, segment], files.values(), signal)
  }

  /** See SegmentCoder. The files are gone afterwards. */
  async rebuild (
    files: Map<number, Uint8Array>,
    segment: Segment,
    lost: readonly number[],
    signal?: AbortSignal
  ): Promise<{ files: Uint8Array[]; wrong: WrongShard[] }> {
    return await this.#run('rebuild', [files, segment, lost], files.values(), signal)
  }

  async close (): Promise<void> {
    await this.#pool.destroy()
  }

  async #run<Name extends keyof Jobs>(
    name: Name,
    args: Parameters<Jobs[Name]>,
    given: Iterable<Uint8Array>,
    signal?: AbortSignal
  ): Promise<Awaited<ReturnType<Jobs[Name]>>> {
    const outcome: Outcome = await this.#pool.run({ name, args } as Job, {
      transferList: ownBuffers(given),
      signal
    }) as Outcome
    if ('refused' in outcome) throw new RelayError(outcome.refused.code, outcome.refused.message)
    return outcome.result as Awaited<ReturnType<Jobs[Name]>>
  }
}

/** The buffers of arrays that have one to themselves; the others are copied. */
function ownBuffers (arrays: Iterable<Uint8Array>): ArrayBuffer[] {
  const own = [...arrays].filter(array => array.length > 0 && array.length === array.buffer.byteLength)
  return [...new Set(own.map(({ buffer }) => buffer as ArrayBuffer))]
}

import { move, Piscina } from 'piscina'
import { RelayError, type RelayErrorCode } from '../../errors.ts'
import type { SegmentId } from '../format/segment-header.ts'
import { nodePlatform } from '../node-platform.ts'
import { SegmentCoder, type Segment } from '../segment.ts'

// Runs in a worker thread (see workers.ts): segments are made and opened here.

const made = nodePlatform().then(platform => ({ platform, coder: new SegmentCoder(platform) }))
made.catch(() => {}) // each job is told

const jobs = {
  encode: async (plain: Uint8Array, key: Uint8Array, id: SegmentId) => await (await made).coder.encode(plain, key, id),
  decode: async (files: Map<number, Uint8Array>, key: Uint8Array, segment: Segment) =>
    await (await made).coder.decode(files, key, segment),
  rebuild: async (files: Map<number, Uint8Array>, segment: Segment, lost: readonly number[]) =>
    await (await made).coder.rebuild(files, segment, lost),
  /** Which files are not those of these names. */
  damaged: async (files: readonly Uint8Array[], names: readonly Uint8Array[]): Promise<boolean[]> => {
    const { platform } = await made
    return await Promise.all(files.map(async (file, at) => !platform.equal(await platform.sha256(file), names[at]!)))
  }
}

export type Jobs = typeof jobs
export type Job = { [Name in keyof Jobs]: { name: Name; args: Parameters<Jobs[Name]> } }[keyof Jobs]
/** What was done, or why not: an error would lose its code on its way between threads. */
export type Outcome = { result: unknown } | { refused: { code: RelayErrorCode; message: string } }

export default async function run (job: Job): Promise<unknown> {
  try {
    return moved(await (jobs[job.name] as (...args: unknown[]) => unknown)(...job.args))
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    return { refused: { code: error.code, message: error.message } }
  }
}

/** What goes back without a copy: plaintext, and files, which share one buffer. */
function moved (result: unknown): unknown {
  const { plain, files } = result as { plain?: Uint8Array | number; files?: Uint8Array[] }
  const bytes = files?.[0] ?? (plain instanceof Uint8Array ? plain : undefined)
  const transferable = bytes === undefined || isPooled(bytes) ? [] : [bytes.buffer]
  return move({
    [Piscina.transferableSymbol]: transferable,
    [Piscina.valueSymbol]: { result }
  } as unknown as Parameters<typeof move>[0])
}

/** Whether Node's pool for small buffers has it, which cannot be moved. */
const isPooled = ({ buffer }: Uint8Array): boolean => buffer.byteLength === Buffer.poolSize

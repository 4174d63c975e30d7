import type { Codec } from '../codec/codec.ts'

export const SEAL_BYTES = 16

/** Which segment of which object. */
export interface SegmentId {
  /** The object's seal id, 16 random bytes. */
  readonly seal: Uint8Array
  readonly number: number
  readonly isLast: boolean
  readonly k: number
  readonly m: number
}

/** What is known of a segment beside its shards. `plain`: bytes of plaintext. */
export interface SegmentHeader extends SegmentId { readonly codec: Codec, readonly plain: number }

const MAGIC = [0x52, 0x56, 0x53, 0x31] // RVS1

/** The 32 bytes that a segment is sealed with and that are stored nowhere: in another place it does not open. */
export function segmentAad ({ codec, k, m, isLast, seal, number, plain }: SegmentHeader): Uint8Array {
  const aad = new Uint8Array(32)
  aad.set([...MAGIC, codec, k, m, isLast ? 1 : 0])
  aad.set(seal, 8)
  const view = new DataView(aad.buffer)
  view.setUint32(24, number, true)
  view.setUint32(28, plain, true)
  return aad
}

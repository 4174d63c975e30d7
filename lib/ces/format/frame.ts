import { RelayError } from '../../errors.ts'
import { concat, NONCE_BYTES, TAG_BYTES } from '../cipher/cipher.ts'

const LENGTH_BYTES = 4
const LEAST = NONCE_BYTES + TAG_BYTES

/** What is sealed, in parts. */
export interface Frame {
  nonce: Uint8Array
  ciphertext: Uint8Array[]
  tag: Uint8Array
}

/** Bytes of each of k shards for a ciphertext of this length. */
export const shardLength = (ciphertext: number, k: number): number =>
  Math.ceil((LENGTH_BYTES + LEAST + ciphertext) / k)

/**
 * Lays u32 length || nonce || ciphertext || tag over the data shards, zeros after the end.
 * @param bodies of `shardLength` bytes each, all zeros
 */
export function writeFrame ({ nonce, ciphertext, tag }: Frame, bodies: readonly Uint8Array[]): void {
  const sealed = [nonce, ...ciphertext, tag]
  const length = new Uint8Array(LENGTH_BYTES)
  new DataView(length.buffer).setUint32(
    0,
    sealed.reduce((sum, part) => sum + part.length, 0),
    true
  )
  let shard = 0
  let at = 0
  for (const part of [length, ...sealed]) {
    for (let from = 0; from < part.length;) {
      const piece = part.subarray(from, from + bodies[shard]!.length - at)
      bodies[shard]!.set(piece, at)
      from += piece.length
      at += piece.length
      if (at === bodies[shard]!.length) {
        shard++
        at = 0
      }
    }
  }
}

/**
 * Reads what `writeFrame` wrote, without a copy of the ciphertext.
 * @throws RelayError RELAY_VAULT_DAMAGED for a length that does not go with that of the shards
 */
export function readFrame (bodies: readonly Uint8Array[]): Frame {
  const head = concat(slices(bodies, 0, LENGTH_BYTES + NONCE_BYTES))
  const length = head.length < LENGTH_BYTES ? 0 : new DataView(head.buffer, head.byteOffset).getUint32(0, true)
  if (length < LEAST || shardLength(length - LEAST, bodies.length) !== bodies[0]!.length) {
    throw new RelayError(
      'RELAY_VAULT_DAMAGED',
      `a frame that says it has ${length} bytes lies on ${bodies.length} shards of ${bodies[0]!.length}`
    )
  }
  const end = LENGTH_BYTES + length
  return {
    nonce: head.subarray(LENGTH_BYTES),
    ciphertext: slices(bodies, LENGTH_BYTES + NONCE_BYTES, end - TAG_BYTES),
    tag: concat(slices(bodies, end - TAG_BYTES, end))
  }
}

/** The bytes from `from` to `to` of bodies that follow each other. */
function slices (bodies: readonly Uint8Array[], from: number, to: number): Uint8Array[] {
  const length = bodies[0]!.length
  return bodies
    .map((body, at) => body.subarray(Math.max(0, from - at * length), Math.max(0, to - at * length)))
    .filter(piece => piece.length > 0)
}

import { concat } from './cipher/cipher.ts'

/** Bytes of plaintext of every segment but the last. */
export const SEGMENT_BYTES = 4 * 1024 * 1024

/** A piece of an object: all of one length but the last, which may be empty only where it is the first. */
export interface Piece {
  readonly plain: Uint8Array
  readonly number: number
  readonly isLast: boolean
}

/** Cuts a stream of any pieces into segments. One is held back, since the last is told apart. */
export async function * segments (
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size = SEGMENT_BYTES
): AsyncGenerator<Piece> {
  let number = 0
  let held: Uint8Array | undefined
  for await (const plain of cut(source, size)) {
    if (held !== undefined) yield { plain: held, number: number++, isLast: false }
    held = plain
  }
  yield { plain: held ?? new Uint8Array(0), number, isLast: true }
}

async function * cut (
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  size: number
): AsyncGenerator<Uint8Array> {
  let pieces: Uint8Array[] = []
  let length = 0
  for await (let piece of source) {
    while (length + piece.length >= size) {
      pieces.push(piece.subarray(0, size - length))
      piece = piece.subarray(size - length)
      yield pieces.length === 1 ? pieces[0]!.slice() : concat(pieces) // its own, so that it can be moved to a thread
      pieces = []
      length = 0
    }
    if (piece.length === 0) continue
    pieces.push(piece)
    length += piece.length
  }
  if (length > 0) yield pieces.length === 1 ? pieces[0]!.slice() : concat(pieces)
}

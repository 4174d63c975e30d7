import { Buffer } from 'node:buffer'

const FIN = 0x80
const CONTINUATION = 0x0
const BINARY = 0x2
const LENGTH_IN_2_BYTES = 126
const LENGTH_IN_8_BYTES = 127
const MAX_2_BYTES = 2 ** 16

/**
 * WebSocket messages as a server sends them (RFC 6455 section 5.2: binary, one frame each, not masked), one after the
 * other in one buffer. Each is one of `heads` with `tail` after it. Made here because a server that sends the same to
 * many spends more on the frames around it than on all else: one buffer and one write, however many messages.
 */
export function encodeMessages (heads: readonly Uint8Array[], tail: Uint8Array): Buffer {
  let size = 0
  for (const head of heads) size += messageLength(head.length + tail.length)
  const out = Buffer.allocUnsafe(size)
  let at = 0
  for (const head of heads) {
    at = writeHeader(out, at, FIN | BINARY, head.length + tail.length)
    out.set(head, at)
    out.set(tail, at + head.length)
    at += head.length + tail.length
  }
  return out
}

/** What comes before a part of a message (RFC 6455 section 5.4). @param length bytes of the part */
export function encodeFragment (length: number, isFirst: boolean, isLast: boolean): Buffer {
  const header = Buffer.allocUnsafe(headerLength(length))
  writeHeader(header, 0, (isLast ? FIN : 0) | (isFirst ? BINARY : CONTINUATION), length)
  return header
}

const headerLength = (length: number): number => length < LENGTH_IN_2_BYTES ? 2 : length < MAX_2_BYTES ? 4 : 10

const messageLength = (length: number): number => length + headerLength(length)

function writeHeader (out: Buffer, at: number, first: number, length: number): number {
  out[at] = first
  if (length < LENGTH_IN_2_BYTES) {
    out[at + 1] = length
    return at + 2
  }
  if (length < MAX_2_BYTES) {
    out[at + 1] = LENGTH_IN_2_BYTES
    return out.writeUInt16BE(length, at + 2)
  }
  out[at + 1] = LENGTH_IN_8_BYTES
  out.writeUInt32BE(Math.floor(length / 2 ** 32), at + 2)
  return out.writeUInt32BE(length % 2 ** 32, at + 6)
}

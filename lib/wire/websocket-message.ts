import { Buffer } from 'node:buffer'

const BINARY = 0x82 // FIN and opcode 2
const SHORT = 126
const LONG = 2 ** 16

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
    at = writeHeader(out, at, head.length + tail.length)
    out.set(head, at)
    out.set(tail, at + head.length)
    at += head.length + tail.length
  }
  return out
}

const messageLength = (length: number): number => length + (length < SHORT ? 2 : length < LONG ? 4 : 10)

function writeHeader (out: Buffer, at: number, length: number): number {
  out[at] = BINARY
  if (length < SHORT) {
    out[at + 1] = length
    return at + 2
  }
  if (length < LONG) {
    out[at + 1] = SHORT
    return out.writeUInt16BE(length, at + 2)
  }
  out[at + 1] = SHORT + 1
  out.writeUInt32BE(Math.floor(length / 2 ** 32), at + 2)
  return out.writeUInt32BE(length % 2 ** 32, at + 6)
}

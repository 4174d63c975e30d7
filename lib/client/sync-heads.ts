const FIRST_TYPE = 0x42 // a sync message of version 1; version 2 is one higher
const HASH_BYTES = 32

/**
 * The heads that the sender of an Automerge sync message has, as hex; undefined for what is no sync message. Its
 * beginning, by `sync.rs` of Automerge's Rust core: type, number of heads, heads.
 */
export function syncHeads (message: Uint8Array): string[] | undefined {
  if (message[0] !== FIRST_TYPE && message[0] !== FIRST_TYPE + 1) return undefined
  let [count, at, shift] = [0, 1, 0]
  for (let byte = 0x80; byte >= 0x80; shift += 7) {
    byte = message[at++] ?? NaN
    count += (byte & 0x7f) * 2 ** shift
  }
  if (!(at + count * HASH_BYTES <= message.length)) return undefined
  return Array.from({ length: count }, (_, n) => hex(message.subarray(at + n * HASH_BYTES, at + (n + 1) * HASH_BYTES)))
}

const hex = (bytes: Uint8Array): string => Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

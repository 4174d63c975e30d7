const BITS_PER_ENTRY = 10
const PROBES = 7

/** A Bloom filter of hashes as Automerge's peers send it with each message (its `sync/bloom.rs`). */
export function bloomOf (hashes: string[]): Uint8Array {
  if (hashes.length === 0) return new Uint8Array(0)
  const length = Math.ceil(hashes.length * BITS_PER_ENTRY / 8)
  const bits = new Uint8Array(length)
  for (const hash of hashes) {
    const bytes = Buffer.from(hash.slice(0, 24), 'hex')
    const modulo = length * 8
    let x = bytes.readUInt32LE(0) % modulo
    let y = bytes.readUInt32LE(4) % modulo
    const z = bytes.readUInt32LE(8) % modulo
    for (let probe = 0; probe < PROBES; probe++) {
      bits[x >> 3]! |= 1 << (x & 7)
      x = (x + y) % modulo
      y = (y + z) % modulo
    }
  }
  const count: number[] = []
  let rest = hashes.length
  for (; rest >= 0x80; rest >>= 7) count.push(rest & 0x7f | 0x80)
  return Uint8Array.of(...count, rest, BITS_PER_ENTRY, PROBES, ...bits)
}

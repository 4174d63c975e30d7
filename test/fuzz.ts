/** A seeded generator (mulberry32), so that what a fuzz finds can be found again. */
export function random (seed: number): (below: number) => number {
  return below => {
    seed = seed + 0x6d2b79f5 | 0
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed)
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed
    return Math.floor(((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32 * below)
  }
}

/** A few small damages: bits, bytes, numbers that are not, parts left out, doubled or taken from elsewhere. */
export function mutate (bytes: Uint8Array, other: Uint8Array, below: (n: number) => number): Uint8Array {
  let mutated = Buffer.from(bytes)
  for (let n = 1 + below(3); n > 0; n--) {
    const at = below(mutated.length + 1)
    const [before, after] = [mutated.subarray(0, at), mutated.subarray(at)]
    switch (below(9)) {
      case 0:
      case 1:
      case 2: if (after.length > 0) after[0]! ^= 1 << below(8); break
      case 3: if (after.length > 0) after[0] = below(256); break
      case 4: mutated = Buffer.concat([before, after.subarray(1 + below(4))]); break
      case 5: {
        const number = Buffer.from(leb(below(2) === 0 ? below(300) : 2 ** below(60)))
        mutated = Buffer.concat([before, number, after.subarray(below(2))])
        break
      }
      case 6: mutated = Buffer.concat([before, after.subarray(0, below(40)), after]); break
      case 7: mutated = Buffer.concat([before, other.subarray(below(other.length))]); break
      case 8: mutated = Buffer.from(before)
    }
  }
  return mutated
}

/** Unsigned LEB128. */
export function leb (value: number): number[] {
  return value < 0x80 ? [value] : [value % 0x80 | 0x80, ...leb(Math.floor(value / 0x80))]
}

/**
 * The same bytes with one LEB128 number of more than 32 bits cut off to them, for each there may be: where a length is
 * meant, Automerge's WASM reads it like this.
 */
export function shortened (bytes: Uint8Array): Uint8Array[] {
  const variants: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at++) {
    const length = bytes.subarray(at).findIndex(byte => byte < 0x80) + 1
    const low = bytes.subarray(at, at + length)
      .reduce((value, byte, n) => n < 5 ? value + (byte & 0x7f) * 2 ** (7 * n) : value, 0) % 2 ** 32
    if (length >= 5) {
      variants.push(Buffer.concat([bytes.subarray(0, at), Buffer.from(leb(low)), bytes.subarray(at + length)]))
    }
  }
  return variants
}

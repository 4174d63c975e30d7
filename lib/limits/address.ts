import { isIPv6 } from 'node:net'

const GROUPS = 8
/** Prefixes of 96 bits before an IPv4 address: mapped, and translated. */
const WITH_IPV4 = [[0, 0, 0, 0, 0, 0xffff], [0x64, 0xff9b, 0, 0, 0, 0]]

const NETWORK = 4 // groups of 16 bits: a /64, which one subscriber has at least

/**
 * What is counted as one address: an IPv4 address, also as mapped into IPv6 (RFC 4291 section 2.5.5.2) or translated
 * (RFC 6052: everybody who comes by IPv4 has that prefix where only IPv6 is spoken inside), or the /64 of an IPv6
 * address. Undefined is a socket without an address (a Unix domain socket).
 */
export function networkOf (address: string | undefined): string {
  if (address === undefined) return 'local'
  if (!isIPv6(address)) return address
  const groups = groupsOf(address.split('%')[0]!)
  if (WITH_IPV4.some(prefix => prefix.every((group, n) => group === groups[n]))) {
    return [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255].join('.')
  }
  return `${groups.slice(0, NETWORK).map(group => group.toString(16)).join(':')}::/64`
}

/** The 16-bit groups of a valid IPv6 address without a zone. */
function groupsOf (address: string): number[] {
  const hex = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a, b, c, d] = bytes.slice(0, 4).map(Number)
    return `${(a! << 8 | b!).toString(16)}:${(c! << 8 | d!).toString(16)}`
  })
  const [before, after] = hex.split('::')
    .map(part => part === '' ? [] : part.split(':').map(group => parseInt(group, 16)))
  if (after === undefined) return before!
  return [...before!, ...new Array<number>(GROUPS - before!.length - after.length).fill(0), ...after]
}

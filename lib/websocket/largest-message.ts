import type { IncomingHttpHeaders } from 'node:http'

const MiB = 2 ** 20

/**
 * The largest message that a peer takes, in bytes, told by how it asked for the socket. Browsers, which always name
 * their page's origin, take any. Node's `ws` (automerge-repo) offers compression, and takes 100 MiB unless it is told
 * otherwise. Rust's tungstenite (samod, Tonk's relay) offers none, and takes 64 MiB.
 */
export function largestMessage ({ origin, 'sec-websocket-extensions': extensions = '' }: IncomingHttpHeaders): number {
  if (origin !== undefined) return Infinity
  return extensions.includes('permessage-deflate') ? 100 * MiB : 64 * MiB
}

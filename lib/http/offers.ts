import { IncomingMessage, type Server } from 'node:http'

/**
 * Protocols that Node's HTTP server is offered and never changes to: HTTP/2 without TLS, and TLS (RFC 9113 section 3.1,
 * RFC 2817).
 */
const NEVER_TAKEN = /^(h2c|tls\/)/i

type Request = typeof IncomingMessage

/**
 * A kind of request that is read to its end as if it had made no offer to upgrade (RFC 9110 section 7.8), unless the
 * offer is one that is taken. Else Node hands every one to the listeners of `upgrade`, without its body.
 */
export function ignoringOffers (isTaken: (protocols: string) => boolean, Base: Request = IncomingMessage): Request {
  return class extends Base {
    declare offered: unknown
    get upgrade (): boolean {
      return this.offered === true && (this.method === 'CONNECT' || isTaken(this.headers.upgrade ?? ''))
    }

    // Node's parser says here whether there is an offer, before it has told the headers
    set upgrade (offered: boolean) { this.offered = offered }
  }
}

/** For a server of one's own, which only changes to WebSocket. */
export const WebSocketRequest = ignoringOffers(protocols => /\bwebsocket\b/i.test(protocols))

/**
 * Has a server that exists already ignore what no HTTP server of Node takes; other offers are for its owner's
 * listeners.
 */
export function ignoreOffers (server: Server): void {
  const kinds = server as unknown as Record<symbol, unknown>
  // the option `IncomingMessage` of http.createServer, which cannot be given later in another way
  const option = Object.getOwnPropertySymbols(server).find(symbol => symbol.description === 'IncomingMessage')
  if (option === undefined || kinds[option] === WebSocketRequest) return
  kinds[option] = ignoringOffers(protocols => !NEVER_TAKEN.test(protocols.trim()), kinds[option] as Request)
}

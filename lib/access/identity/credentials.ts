import type { IncomingHttpHeaders } from 'node:http'

/** What a caller shows. */
export interface Credentials {
  readonly headers: IncomingHttpHeaders
  /** Path and query, as they came */
  readonly url: string
  /** Address it came from */
  readonly ip: string
  readonly token: string | undefined
}

/** The WebSocket subprotocol of clients that read the relay's own frames. */
export const SUBPROTOCOL = 'automerge-relay'

const IN_SUBPROTOCOL = 'bearer.'
const IN_QUERY = /([?&]token=)([^&#]*)/i
const MAX_TOKEN = 16_384 // characters; Node takes no longer header

/**
 * The token of a request: `Authorization: Bearer` (RFC 6750), else the WebSocket subprotocol `bearer.<token>`, else
 * `?token=`. Its name in the query is taken literally, so that whoever writes logs finds it too.
 */
export function findToken (headers: IncomingHttpHeaders, url: string): string | undefined {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '') ?? []
  const token = bearer ??
    subprotocols(headers).find(name => name.startsWith(IN_SUBPROTOCOL))?.slice(IN_SUBPROTOCOL.length) ?? inQuery(url)
  return token === undefined || token === '' || token.length > MAX_TOKEN ? undefined : token
}

/** A URL fit for a log. */
export const withoutToken = (url: string): string => url.replace(new RegExp(IN_QUERY, 'gi'), '$1[Redacted]')

/**
 * Of the subprotocols that are offered, the one to answer with (RFC 6455 section 4.2.2); never one with a token in it.
 */
export function chooseSubprotocol (offered: Iterable<string>): string | false {
  const names = [...offered].filter(name => !name.startsWith(IN_SUBPROTOCOL))
  return names.includes(SUBPROTOCOL) ? SUBPROTOCOL : names[0] ?? false
}

/** Whether the client reads the relay's own frames. */
export const readsRelayFrames = (headers: IncomingHttpHeaders): boolean => subprotocols(headers).includes(SUBPROTOCOL)

const subprotocols = (headers: IncomingHttpHeaders): string[] =>
  (headers['sec-websocket-protocol'] ?? '').split(',').map(name => name.trim())

function inQuery (url: string): string | undefined {
  const [, , text] = IN_QUERY.exec(url) ?? []
  if (text === undefined) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined // not a token, then
  }
}

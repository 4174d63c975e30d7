/** One row per refusal: what HTTP answers, what a WebSocket is closed with, how soon to try again (seconds). */
interface ErrorRow { status: number, close: number, retryAfter?: number }

/**
 * Every error the relay raises on purpose. The code is the API, the message is for people.
 * Close codes: RFC 6455 section 7.4.1 and the IANA registry (1013 "try again later"); 4401 and 4403 are the relay's own
 * (the range of applications), so that a client tells them from an outage.
 */
const table = {
  RELAY_BAD_OPTION: { status: 500, close: 1011 },
  RELAY_BAD_REQUEST: { status: 400, close: 1008 },
  RELAY_ROUTE_NOT_FOUND: { status: 404, close: 1008 },
  RELAY_METHOD_NOT_ALLOWED: { status: 405, close: 1008 },
  RELAY_RANGE_NOT_SATISFIABLE: { status: 416, close: 1008 },
  RELAY_MEDIA_TYPE_UNSUPPORTED: { status: 415, close: 1008 },
  RELAY_INTERNAL: { status: 500, close: 1011 },
  RELAY_NOT_READY: { status: 503, close: 1013, retryAfter: 1 },

  RELAY_UNAUTHENTICATED: { status: 401, close: 4401 },
  RELAY_TOKEN_EXPIRED: { status: 401, close: 4401 },
  RELAY_ACCESS_DENIED: { status: 403, close: 4403 },
  RELAY_ACCESS_REVOKED: { status: 403, close: 4403 },
  RELAY_KEYS_UNAVAILABLE: { status: 503, close: 1013, retryAfter: 5 },
  RELAY_ORIGIN_NOT_ALLOWED: { status: 403, close: 1008 },

  RELAY_RATE_LIMITED: { status: 429, close: 1013 }, // how soon to try again depends
  RELAY_TOO_MANY_CONNECTIONS: { status: 429, close: 1013, retryAfter: 30 },
  RELAY_TOO_MANY_UPLOADS: { status: 429, close: 1013, retryAfter: 5 },
  RELAY_TOO_MANY_BUNDLES: { status: 403, close: 1008 },
  RELAY_TOO_MANY_DOCUMENTS: { status: 403, close: 1008 },
  RELAY_OVERLOADED: { status: 503, close: 1013, retryAfter: 10 },
  RELAY_IDLE: { status: 408, close: 1008 },

  RELAY_BUNDLE_INVALID: { status: 400, close: 1008 },
  RELAY_BUNDLE_TOO_LARGE: { status: 413, close: 1009 },
  RELAY_BUNDLE_NOT_FOUND: { status: 404, close: 1008 },
  RELAY_PRECONDITION_FAILED: { status: 412, close: 1008 },
  RELAY_BUNDLE_CHANGED: { status: 503, close: 1013, retryAfter: 1 },
  RELAY_OBJECT_CHANGED: { status: 503, close: 1013, retryAfter: 1 },
  RELAY_CHECKSUM_MISMATCH: { status: 400, close: 1007 },
  RELAY_FILE_NOT_FOUND: { status: 404, close: 1008 },
  RELAY_STORE_UNAVAILABLE: { status: 503, close: 1013, retryAfter: 5 },

  RELAY_STORAGE_FAILED: { status: 503, close: 1013, retryAfter: 5 },
  RELAY_STORAGE_LOST: { status: 503, close: 1013, retryAfter: 5 },
  RELAY_DOCUMENT_INVALID: { status: 400, close: 1008 },
  RELAY_DOCUMENT_NOT_FOUND: { status: 404, close: 1008 },
  RELAY_DOCUMENT_DELETED: { status: 410, close: 1008 },
  RELAY_DOCUMENT_DAMAGED: { status: 500, close: 1011 },
  RELAY_DOCUMENT_TOO_LARGE: { status: 413, close: 1009 },
  RELAY_DOCUMENT_BUSY: { status: 503, close: 1013, retryAfter: 1 },
  RELAY_HEADS_UNKNOWN: { status: 404, close: 1008 },
  RELAY_PATCH_INVALID: { status: 422, close: 1008 },
  RELAY_PATCH_CONFLICT: { status: 409, close: 1008 },
  RELAY_ID_INVALID: { status: 400, close: 1008 },

  RELAY_FEED_CURSOR_GONE: { status: 410, close: 1008 },
  RELAY_DEAD_LETTER_NOT_FOUND: { status: 404, close: 1008 },
  RELAY_FEED_SINK_NOT_FOUND: { status: 404, close: 1008 },

  RELAY_VAULT_UNHAPPY: { status: 503, close: 1013, retryAfter: 60 },
  RELAY_VAULT_KEY_WRONG: { status: 409, close: 1008 },
  RELAY_VAULT_KEY_MISSING: { status: 503, close: 1013, retryAfter: 60 },
  RELAY_VAULT_NOT_FOUND: { status: 404, close: 1008 },
  RELAY_VAULT_TOO_LARGE: { status: 413, close: 1009 },
  RELAY_VAULT_LOST: { status: 410, close: 1008 },
  RELAY_VAULT_UNREACHABLE: { status: 503, close: 1013, retryAfter: 30 },
  RELAY_VAULT_DAMAGED: { status: 502, close: 1011 },
  RELAY_MANIFEST_INVALID: { status: 400, close: 1008 },
  RELAY_SHARD_INVALID: { status: 400, close: 1008 },
  RELAY_SHARD_NOT_FOUND: { status: 404, close: 1008 },
  RELAY_SHARDS_FULL: { status: 507, close: 1013 },
  RELAY_NODE_UNKNOWN: { status: 403, close: 4403 },

  RELAY_FRAME_NOT_BINARY: { status: 400, close: 1003 },
  RELAY_FRAME_INVALID: { status: 400, close: 1007 },
  RELAY_FRAME_TOO_LARGE: { status: 413, close: 1009 },
  RELAY_FRAME_UNEXPECTED: { status: 400, close: 1008 },
  RELAY_SYNC_INVALID: { status: 400, close: 1007 },
  RELAY_PROTOCOL_VERSION: { status: 400, close: 1002 },
  RELAY_HANDSHAKE_TIMEOUT: { status: 408, close: 1008 },
  RELAY_PEER_SLOW: { status: 503, close: 1013, retryAfter: 1 },
  RELAY_CLOSING: { status: 503, close: 1001, retryAfter: 1 }
} satisfies Record<string, ErrorRow>

export type RelayErrorCode = keyof typeof table

/** The HTTP status that a refusal is answered with. */
export const statusOf = (code: RelayErrorCode): number => table[code].status

/** An error with a stable `code`, the HTTP status and the WebSocket close code that go with it. */
export class RelayError extends Error {
  readonly code: RelayErrorCode
  readonly statusCode: number
  readonly closeCode: number
  readonly retryAfter: number | undefined

  constructor (code: RelayErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    const row: ErrorRow = table[code]
    this.name = 'RelayError'
    this.code = code
    this.statusCode = row.status
    this.closeCode = row.close
    this.retryAfter = row.retryAfter
  }
}

/** What is wrong with an option. @param name with dots; empty for all of them together */
export const badOption = (name: string, problem: string, cause?: unknown): RelayError =>
  new RelayError('RELAY_BAD_OPTION', `${name === '' ? 'options' : `option ${name}`}: ${problem}`, { cause })

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

/** What a client is told of an error: where the storage failed, no path of this machine's, which is for the log. */
export const messageFor = ({ code, message }: RelayError): string =>
  code === 'RELAY_STORAGE_FAILED' || code === 'RELAY_STORAGE_LOST'
    ? 'The storage cannot be used at the moment'
    : message

/** The system or library code of an error (`ENOENT`, `NoSuchKey`, …), if it has one. */
export const codeOf = (error: unknown): string | undefined => {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

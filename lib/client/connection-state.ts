/**
 * - `connecting`: a socket is being opened
 * - `connected`: documents sync
 * - `refused`: the relay knows no such token, or it does not allow this; tried again with the next token
 * - `expired`: the token is out of date; tried again at once with a new one
 * - `full`: a limit of the relay's; tried again when it says so
 * - `offline`: nobody answers, or the relay went away; tried again
 * - `stopped`: by `disconnect`, or because the relay took access back; `reconnect` tries again
 */
export type ConnectionStatus = 'connecting' | 'connected' | 'refused' | 'expired' | 'full' | 'offline' | 'stopped'

export interface ConnectionState {
  readonly status: ConnectionStatus
  /** The relay's code, `RELAY_…`, where it gave one */
  readonly code?: string | undefined
  /** Its reason, for people */
  readonly message?: string | undefined
  /** When it is tried again, in ms since 1970 */
  readonly retryAt?: number | undefined
}

/** What a relay said about why there is no connection. */
export interface Refusal {
  readonly code?: string | undefined
  readonly message?: string | undefined
  /** ms after which it may be tried again */
  readonly retryAfter?: number | undefined
}

const STATUS: Record<string, ConnectionStatus> = {
  RELAY_TOKEN_EXPIRED: 'expired',
  RELAY_UNAUTHENTICATED: 'refused',
  RELAY_ACCESS_DENIED: 'refused',
  RELAY_ORIGIN_NOT_ALLOWED: 'refused',
  RELAY_ACCESS_REVOKED: 'stopped', // docs/protocol.md: not to be tried again
  RELAY_TOO_MANY_CONNECTIONS: 'full',
  RELAY_TOO_MANY_DOCUMENTS: 'full',
  RELAY_RATE_LIMITED: 'full',
  RELAY_OVERLOADED: 'full'
}

export const statusOf = ({ code }: Refusal): ConnectionStatus => STATUS[code ?? ''] ?? 'offline'

/** The refusal in the reason of a close frame, `CODE: explanation`. */
export function refusalOf (reason: string): Refusal {
  const [, code, message] = /^(RELAY_\w+): ?(.*)$/s.exec(reason) ?? []
  return code === undefined ? { message: reason === '' ? undefined : reason } : { code, message }
}

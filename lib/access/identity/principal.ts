import type { Rule } from '../rule.ts'

/** Who is behind a request or a connection. */
export interface Principal {
  /** Stable, and nobody else's: an account, a service; 1 to 256 characters */
  readonly id: string
  /** When what proves it runs out, in ms since 1970 */
  readonly expires?: number | undefined
  /** What it may do beside what the relay's rules say */
  readonly rules?: readonly Rule[] | undefined
  /** What its token says of it */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

const MAX_ID = 256

/** Who has said nothing of who it is. */
export const ANONYMOUS: Principal = { id: 'anonymous' }

/** Whoever has shown a token of the tunnel's, and nothing else. */
export const TUNNEL: Principal = { id: 'tunnel' }

/** Names that mean something else in rules. */
const RESERVED = new Set([ANONYMOUS.id, TUNNEL.id, '*'])

/** Whether somebody may be called that. */
export const isPrincipalId = (id: unknown): id is string =>
  typeof id === 'string' && id !== '' && id.length <= MAX_ID && !RESERVED.has(id)

import type { Rule } from '../rule.ts'
import { RESERVED } from './principal-id.ts'

/** Who is behind a request or a connection. */
export interface Principal {
  /**
   * Stable, and nobody else's: an account, a service; 1 to 256 characters that can be seen, in Unicode's normal form C
   */
  readonly id: string
  /** When what proves it runs out, in ms since 1970 */
  readonly expires?: number | undefined
  /** What it may do beside what the relay's rules say */
  readonly rules?: readonly Rule[] | undefined
  /** What its token says of it */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** Who has said nothing of who it is. */
export const ANONYMOUS: Principal = { id: RESERVED.anonymous }

/** Whoever has shown a token of the tunnel's, and nothing else. */
export const TUNNEL: Principal = { id: RESERVED.tunnel }

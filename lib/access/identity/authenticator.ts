import type { Credentials } from './credentials.ts'
import type { Principal } from './principal.ts'

/**
 * Says who somebody is: a principal, or null for who shows nothing it knows. RelayErrors are the caller's refusal (401,
 * 503); anything else it throws is a fault.
 */
export type Authenticate = (credentials: Credentials) => Principal | null | Promise<Principal | null>

/** One of the ways to say it. */
export interface Authenticator {
  readonly authenticate: Authenticate
  close? (): void
}

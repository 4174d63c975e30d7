import type { Access } from '../access/access.ts'
import type { Credentials } from '../access/identity/credentials.ts'
import { ANONYMOUS, type Principal } from '../access/identity/principal.ts'
import { RelayError } from '../errors.ts'
import type { TunnelError } from '../tunnel/errors.ts'
import { tunnelErrorOf } from './tunnel-error.ts'

/**
 * Who calls a relay's tunnel, by the credentials that its other routes accept.
 * @param other who a caller is that the relay does not know, but that has a token of the tunnel's
 * @param byToken throws a TunnelError when the caller has no such token
 * @throws TunnelError for credentials that are not accepted, and for callers that are no longer admitted
 */
export async function callerOf (
  access: Access, credentials: Credentials, other: Principal, byToken: () => void | Promise<void>
): Promise<Principal> {
  try {
    const principal = await access.identify(credentials)
    if (principal !== ANONYMOUS) return access.admit(principal)
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    if (error.code !== 'RELAY_UNAUTHENTICATED' || credentials.token !== undefined) throw refused(access, error)
  }
  await byToken()
  try {
    return access.admit(other)
  } catch (error) {
    throw refused(access, error as RelayError)
  }
}

function refused (access: Access, error: RelayError): TunnelError {
  access.refused(error.code)
  return tunnelErrorOf(error)
}

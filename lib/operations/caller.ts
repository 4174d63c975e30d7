import type { Access } from '../access/access.ts'
import type { Credentials } from '../access/credentials.ts'
import { ANONYMOUS, type Principal } from '../access/principal.ts'
import { RelayError } from '../errors.ts'
import { told } from './told.ts'

/**
 * Who calls a relay's tunnel, as the relay knows it by what its other doors take; undefined for somebody it does not know,
 * who may still show a token of the tunnel's.
 * @throws TunnelError for credentials that are not accepted
 */
export async function callerOf (access: Access, credentials: Credentials): Promise<Principal | undefined> {
  try {
    const principal = await access.authenticate(credentials)
    return principal === ANONYMOUS ? undefined : principal
  } catch (error) {
    if (!(error instanceof RelayError)) throw error
    if (error.code === 'RELAY_UNAUTHENTICATED' && credentials.token === undefined) return undefined
    access.refused(error.code)
    throw told(error)
  }
}

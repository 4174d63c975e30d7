import { messageFor, type RelayError } from '../errors.ts'
import { TunnelError } from '../tunnel/errors.ts'

/** One of the relay's own errors, as the tunnel's callers read it. */
export function tunnelErrorOf (error: RelayError): TunnelError {
  const { statusCode, code, retryAfter } = error
  const options = { cause: error, ...(retryAfter !== undefined && { retryAfter }) }
  return new TunnelError(statusCode, { message: messageFor(error), code }, options)
}

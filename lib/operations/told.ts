import { messageFor, type RelayError } from '../errors.ts'
import { TunnelError } from '../tunnel/errors.ts'

/** One of the relay's own refusals as the tunnel's callers read it. */
export const told = (error: RelayError): TunnelError =>
  new TunnelError(error.statusCode, { message: messageFor(error), code: error.code }, { cause: error, ...(error.retryAfter !== undefined && { retryAfter: error.retryAfter }) })

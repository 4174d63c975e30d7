import { RelayError, codeOf, messageFor, messageOf } from '../errors.ts'

/** How an error is answered. `retryAfter`: in s. */
export interface ErrorAnswer { status: number, message: string, code: string, retryAfter?: number | undefined }

const HEADERS_OF_AN_ANSWER = [
  'accept-ranges', 'content-disposition', 'content-encoding', 'content-length', 'content-range', 'etag', 'last-modified'
]

/** What a client is told of an error: what was made for clients, and nothing of any other. */
export function describeError (error: unknown): ErrorAnswer {
  if (error instanceof RelayError) {
    const { statusCode: status, code, retryAfter } = error
    return { status, message: messageFor(error), code, retryAfter }
  }
  // Fastify's, its plugins' and the host's refusals; 503 is how load is shed
  const status = (error as { statusCode?: unknown } | null | undefined)?.statusCode
  if (typeof status === 'number' && ((status >= 400 && status < 500) || status === 503)) {
    return { status, message: messageOf(error), code: codeOf(error) ?? 'RELAY_BAD_REQUEST' }
  }
  return { status: 500, message: 'Internal server error', code: 'RELAY_INTERNAL' }
}

/**
 * Headers that a handler may have set for the answer that is not to be: an error must not be cached or saved in its
 * name. A range that cannot be satisfied is answered with the one that could.
 */
export const headersToDrop = (status: number): string[] =>
  HEADERS_OF_AN_ANSWER.filter(name => status !== 416 || name !== 'content-range')

interface Row { status: number, message: string, retryAfter?: number }

/**
 * Every refusal of the tunnel: what its clients know by these codes (tunnel wire of `@bluelibs/runner` 5.5), and below
 * the line what that wire has no code for.
 */
const table = {
  INVALID_JSON: { status: 400, message: 'Invalid JSON body' },
  INVALID_MULTIPART: { status: 400, message: 'Invalid multipart payload' },
  MISSING_MANIFEST: { status: 400, message: 'Missing manifest' },
  PARALLEL_EVENT_RETURN_UNSUPPORTED: {
    status: 400, message: 'Event is marked parallel; returning a payload is not supported.'
  },
  UNAUTHORIZED: { status: 401, message: 'Unauthorized' },
  FORBIDDEN: { status: 403, message: 'Not exposed' },
  NOT_FOUND: { status: 404, message: 'Not Found' },
  METHOD_NOT_ALLOWED: { status: 405, message: 'Method Not Allowed' },
  PAYLOAD_TOO_LARGE: { status: 413, message: 'Payload too large' },
  REQUEST_ABORTED: { status: 499, message: 'Client Closed Request' },
  INTERNAL_ERROR: { status: 500, message: 'Internal Error' },
  STREAM_ERROR: { status: 500, message: 'Internal Error' },
  MISSING_FILE_PART: { status: 500, message: 'Internal Error' },
  AUTH_NOT_CONFIGURED: { status: 500, message: 'Authentication not configured.' },

  INVALID_INPUT: { status: 400, message: 'Invalid input' },
  RATE_LIMITED: { status: 429, message: 'Too many requests', retryAfter: 1 },
  OVERLOADED: { status: 503, message: 'Too many calls at once', retryAfter: 1 },
  TIMEOUT: { status: 504, message: 'The handler took too long' }
} satisfies Record<string, Row>

export type TunnelErrorCode = keyof typeof table

/** What a client is told of an error; `code` is always a string. */
export interface ErrorBody {
  message: string
  code: string
  id?: string
  data?: unknown
  httpCode?: number
  details?: unknown
}

/** What a handler may throw so that its caller is told; every other error is `INTERNAL_ERROR` and stays here. */
export class TunnelError extends Error {
  readonly statusCode: number
  readonly code: string
  readonly body: ErrorBody
  /** s after which it may be worth trying again */
  readonly retryAfter: number | undefined

  /** @param body.message and everything else that its caller may read */
  constructor (statusCode: number, body: ErrorBody, options: { cause?: unknown, retryAfter?: number } = {}) {
    super(body.message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'TunnelError'
    this.statusCode = statusCode
    this.code = body.code
    this.body = body
    this.retryAfter = options.retryAfter
  }
}

/** A refusal of the table, with another message if that says more. */
export function refusal (
  code: TunnelErrorCode, message?: string, options: { details?: unknown, cause?: unknown } = {}
): TunnelError {
  const row: Row = table[code]
  const { details, ...rest } = options
  const body = { message: message ?? row.message, code, ...(details !== undefined && { details }) }
  return new TunnelError(
    row.status, body, row.retryAfter === undefined ? rest : { ...rest, retryAfter: row.retryAfter }
  )
}

export interface TypedErrorOptions<Data> {
  /** HTTP status, 100 to 599; 500 unless given */
  httpCode?: number
  /** The message; the data as JSON unless given. */
  format?: (data: Data) => string
}

/**
 * An error that both sides know by its id: thrown by a handler here, its clients rethrow it with its data (when they
 * have one of that id in their `errorRegistry`).
 */
export class TypedError<Data extends object> {
  readonly id: string
  readonly #options: TypedErrorOptions<Data>

  constructor (id: string, options: TypedErrorOptions<Data> = {}) {
    const { httpCode } = options
    if (httpCode !== undefined && !(Number.isInteger(httpCode) && httpCode >= 100 && httpCode <= 599)) {
      throw new RangeError(`the httpCode of ${id} is no HTTP status: ${httpCode}`)
    }
    this.id = id
    this.#options = options
  }

  /** The error, to be thrown. Its data goes over the wire. */
  new (data: Data): TunnelError {
    const { httpCode, format = JSON.stringify } = this.#options
    return new TunnelError(httpCode ?? 500, {
      message: format(data), code: 'INTERNAL_ERROR', id: this.id, data, ...(httpCode !== undefined && { httpCode })
    })
  }

  throw (data: Data): never {
    throw this.new(data)
  }

  is (error: unknown): boolean {
    return error instanceof TunnelError && error.body.id === this.id
  }
}

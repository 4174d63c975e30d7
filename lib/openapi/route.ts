import { refusals, type ResponseSchema } from './responses.ts'

/** What a route says of itself, as Fastify and @fastify/swagger take it. */
export interface RouteSchema {
  hide?: boolean
  response?: Record<string, ResponseSchema>
  [part: string]: unknown
}

/** Where a token may be, by the names that `security` calls them. */
export const securitySchemes = {
  bearer: { type: 'http', scheme: 'bearer', description: 'A fixed or signed token in the Authorization header' },
  token: { type: 'apiKey', in: 'query', name: 'token', description: 'The same token, for clients that have only a URL' }
} as const

const ANYWHERE = refusals('RELAY_BAD_REQUEST', 'RELAY_INTERNAL', 'RELAY_CLOSING')
const LIMITED = refusals('RELAY_RATE_LIMITED', 'RELAY_OVERLOADED')
const CONTROLLED = refusals(
  'RELAY_UNAUTHENTICATED',
  'RELAY_TOKEN_EXPIRED',
  'RELAY_ACCESS_DENIED',
  'RELAY_ACCESS_REVOKED',
  'RELAY_KEYS_UNAVAILABLE'
)

/** What an operation says that takes a token in either place. */
export const security = Object.keys(securitySchemes).map(name => ({ [name]: [] }))

/**
 * A route's schema with the answers that come before its handler.
 * @param isAsked whether who it is is asked
 * @param isLimited whether it is answered only so often
 */
export function complete (schema: RouteSchema, isAsked: boolean, isLimited: boolean): RouteSchema {
  const response = [ANYWHERE, isLimited ? LIMITED : {}, isAsked ? CONTROLLED : {}].reduce(merge, schema.response ?? {})
  return { ...schema, response }
}

/** Both; where both have a status, the description names what either refuses. */
function merge (
  some: Record<string, ResponseSchema>, others: Record<string, ResponseSchema>
): Record<string, ResponseSchema> {
  const merged = { ...some }
  for (const [status, other] of Object.entries(others)) {
    const one = some[status]
    merged[status] = one === undefined
      ? other
      : { ...other, ...one, description: `${one.description}, ${other.description}` }
  }
  return merged
}

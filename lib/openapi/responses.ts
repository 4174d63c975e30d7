import { Type } from 'typebox'
import { statusOf, type RelayErrorCode } from '../errors.ts'

/** The body of every error; `plugins/openapi.ts` adds it to the scope's schemas, so that documents name it once. */
export const errorSchema = Type.Object({
  error: Type.String({ description: 'What is wrong, for people to read' }),
  code: Type.String({
    description: 'The error code, for programs; codes do not change', examples: ['RELAY_BUNDLE_NOT_FOUND']
  })
}, { $id: 'RelayError', description: 'Why a request was refused' })

/** One answer of a route, as @fastify/swagger takes it in `schema.response`. */
export interface ResponseSchema {
  description: string
  /** For an answer without a body */
  type?: 'null'
  headers?: Record<string, object>
  content?: Record<string, { schema: object }>
}

const RETRY_AFTER = {
  'retry-after': { type: 'integer', minimum: 1, description: 'Seconds until another try is worthwhile' }
}

const HEADERS: Record<number, Record<string, object>> = {
  401: { 'www-authenticate': { type: 'string', description: 'Always `Bearer`' } },
  405: { allow: { type: 'string', description: 'The methods that are allowed' } },
  416: { 'content-range': { type: 'string', description: '`bytes */<size>`' } },
  429: RETRY_AFTER,
  503: RETRY_AFTER
}

/**
 * What a route refuses, for its `schema.response`: one answer for each status that the codes have. What any route may
 * answer (access, a fault, shutdown) is added by `plugins/openapi.ts`.
 */
export function refusals (...codes: RelayErrorCode[]): Record<number, ResponseSchema> {
  const byStatus = new Map<number, RelayErrorCode[]>()
  for (const code of codes) byStatus.set(statusOf(code), [...byStatus.get(statusOf(code)) ?? [], code])
  return Object.fromEntries([...byStatus].map(([status, codes]) => [status, {
    description: codes.join(', '),
    ...HEADERS[status] && { headers: HEADERS[status] },
    content: { 'application/json': { schema: { $ref: 'RelayError#' } } }
  }]))
}

import { Type } from 'typebox'
import { refusals, type ResponseSchema } from './responses.ts'

const text = (description: string) => Type.Optional(Type.String({ description }))

/** Request headers of a GET that `reply.represent()` answers. */
export const conditionalHeaders = Type.Object({
  'if-none-match': text('ETags of the client’s copies: 304 when one of them is current'),
  'if-range': text('An ETag: the range is sent if it is current, otherwise everything'),
  range: text('One range of bytes: `bytes=<first>-<last>`')
})

/** Request headers of what changes a bundle only if it is as expected. */
export const preconditionHeaders = Type.Object({
  'if-match': text('ETags: 412 unless one of them is current'),
  'if-none-match': text('`*`: 412 if there is one already')
})

/** The query of the same, for whom a proxy changes ETags. */
export const preconditionQuery = (pattern: string) => ({
  ifMatch: Type.Optional(Type.String({
    pattern, description: 'The text between the quotes of the ETag, in place of If-Match: 412 unless it is current'
  }))
})

/** Bytes are of no JSON type; OpenAPI 3.1 says so with an empty schema. */
export const bytes = (type: string) => ({ [type]: { schema: {} } })

const etag = { etag: { type: 'string', description: 'Strong' } }

/** The answers of `reply.represent()`. */
export const represented = (type: string, description: string): Record<number, ResponseSchema> => ({
  200: {
    description,
    headers: { ...etag, 'accept-ranges': { type: 'string', description: 'Always `bytes`' } },
    content: bytes(type)
  },
  206: {
    description: 'The range that was asked for',
    headers: { ...etag, 'content-range': { type: 'string', description: '`bytes <first>-<last>/<size>`' } },
    content: bytes(type)
  },
  304: { type: 'null', description: 'The client’s copy is current', headers: etag },
  ...refusals('RELAY_RANGE_NOT_SATISFIABLE')
})

import { Type } from 'typebox'
import { bytes, conditionalHeaders, preconditionHeaders, preconditionQuery, represented } from '../openapi/bytes.ts'
import { refusals } from '../openapi/responses.ts'

export const SLIM_TYPE = 'application/zip'
export const WHOLE_TYPE = 'application/octet-stream'

const tags = ['Bundles']
const params = Type.Object({ id: Type.String({ description: 'The id of its root document' }) })
const STORED = refusals('RELAY_BUNDLE_NOT_FOUND', 'RELAY_STORE_UNAVAILABLE')
const CUT = refusals(
  'RELAY_BUNDLE_NOT_FOUND', 'RELAY_STORE_UNAVAILABLE', 'RELAY_BUNDLE_CHANGED', 'RELAY_STORAGE_FAILED'
)
const FILE = refusals('RELAY_FILE_NOT_FOUND', 'RELAY_STORAGE_FAILED')
const SERVED = refusals('RELAY_FILE_NOT_FOUND', 'RELAY_BUNDLE_CHANGED', 'RELAY_STORAGE_FAILED')

/** What the routes say of themselves. */
export const schemas = {
  served: {
    tags,
    summary: 'The served app, as a slim bundle',
    headers: conditionalHeaders,
    response: { ...represented(SLIM_TYPE, 'Its manifest and its root document as it is now'), ...SERVED }
  },
  blank: {
    tags,
    summary: 'A blank bundle to start from',
    headers: conditionalHeaders,
    response: { ...represented(WHOLE_TYPE, 'The bundle'), ...FILE }
  },
  upload: {
    tags,
    summary: 'Stores a bundle, and its documents',
    querystring: Type.Object(preconditionQuery('^[^"]+$')),
    headers: preconditionHeaders,
    body: {
      content: {
        ...bytes(WHOLE_TYPE),
        'multipart/form-data': {
          schema: Type.Object({
            bundle: Type.String({
              contentMediaType: WHOLE_TYPE, description: 'The first file of the form, whatever its name'
            })
          })
        }
      }
    },
    response: {
      200: Type.Object(
        { id: Type.String({ description: 'The id of its root document' }), message: Type.String() },
        { description: 'It is stored' }
      ),
      ...refusals(
        'RELAY_BUNDLE_INVALID', 'RELAY_DOCUMENT_INVALID', 'RELAY_BUNDLE_TOO_LARGE', 'RELAY_PRECONDITION_FAILED',
        'RELAY_TOO_MANY_UPLOADS', 'RELAY_STORE_UNAVAILABLE', 'RELAY_STORAGE_FAILED'
      )
    }
  },
  download: {
    tags,
    summary: 'A bundle as it was uploaded, or rebuilt',
    params,
    querystring: Type.Object({
      state: Type.Optional(
        Type.Enum(
          ['live', 'stored'],
          { description: '`live`: with every document as it is now; neither ranged nor conditional' }
        )
      )
    }),
    headers: conditionalHeaders,
    response: { ...represented(WHOLE_TYPE, 'The bundle'), ...CUT }
  },
  remove: {
    tags,
    summary: 'Deletes your own bundle; its documents stay',
    params,
    querystring: Type.Object(preconditionQuery('^[^"]+$')),
    headers: preconditionHeaders,
    response: {
      204: { type: 'null', description: 'It is gone' },
      ...STORED,
      ...refusals('RELAY_ACCESS_DENIED', 'RELAY_METHOD_NOT_ALLOWED', 'RELAY_PRECONDITION_FAILED')
    }
  },
  slim: {
    tags,
    summary: 'A bundle in its slim form',
    params,
    headers: conditionalHeaders,
    response: { ...represented(SLIM_TYPE, 'Its manifest and its root document as it is now'), ...CUT }
  }
} as const

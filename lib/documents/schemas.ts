import { Type } from 'typebox'
import { bytes, conditionalHeaders, preconditionHeaders, preconditionQuery, represented } from '../openapi/bytes.ts'
import { refusals } from '../openapi/responses.ts'
import { JSON_PATCH, JSON_TYPE, MERGE_PATCH, SNAPSHOT_TYPE } from './types.ts'

const tags = ['Documents']
const ifMatch = preconditionQuery('^(sha256-[0-9a-f]{64}|[0-9a-f]{64}(\\.[0-9a-f]{64})*)$')
const params = Type.Object({ id: Type.String({ description: 'The document’s id, without `automerge:`' }) })
const hashes = (description: string) => Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), { description })
const heads = hashes('The document’s heads, sorted')
const atHeads = {
  heads: Type.Optional(Type.String({
    description: 'Show the document as it was at these heads: hashes joined by dots, or in the form that an ETag ' +
      'has. Without them, as it is now'
  }))
}
const message = {
  message: Type.Optional(Type.String({
    minLength: 1, maxLength: 1_000, description: 'Message that the history keeps for the change'
  }))
}

const MISSING = refusals(
  'RELAY_DOCUMENT_NOT_FOUND', 'RELAY_DOCUMENT_DELETED', 'RELAY_DOCUMENT_DAMAGED', 'RELAY_STORAGE_FAILED'
)
const OPENED = refusals(
  'RELAY_DOCUMENT_NOT_FOUND',
  'RELAY_HEADS_UNKNOWN',
  'RELAY_DOCUMENT_DELETED',
  'RELAY_DOCUMENT_DAMAGED',
  'RELAY_DOCUMENT_TOO_LARGE',
  'RELAY_DOCUMENT_BUSY',
  'RELAY_STORAGE_FAILED'
)
const unchanged = { type: 'null', description: 'The client’s copy is current' } as const

/** A body that is read, and checked, on another thread. */
const read = (type: string, description: string) => ({ [type]: { schema: { description } } })

const entry = Type.Object({
  hash: Type.String(),
  actor: Type.String(),
  seq: Type.Integer({ description: 'Its number among the changes of its actor' }),
  time: Type.Union([Type.String({ description: 'ISO 8601, by its author’s clock; to the second' }), Type.Null()]),
  message: Type.Union([Type.String(), Type.Null()]),
  deps: hashes('The changes it was made on')
})

/** What the routes say of themselves. */
export const schemas = {
  view: {
    tags,
    summary: 'A document as JSON',
    params,
    querystring: Type.Object(atHeads),
    headers: conditionalHeaders,
    response: { ...represented(JSON_TYPE, 'The document; its ETag is its heads'), ...OPENED }
  },
  heads: {
    tags,
    summary: 'A document’s heads',
    params,
    headers: Type.Pick(conditionalHeaders, ['if-none-match']),
    response: { 200: Type.Object({ heads }, { description: 'Its heads' }), 304: unchanged, ...MISSING }
  },
  history: {
    tags,
    summary: 'A document’s changes, the newest first',
    params,
    querystring: Type.Object({
      ...atHeads,
      offset: Type.Optional(Type.Integer({
        minimum: 0, maximum: 2 ** 31 - 1, default: 0, description: 'How many to skip'
      })),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 100, description: 'How many to list' }))
    }),
    headers: Type.Pick(conditionalHeaders, ['if-none-match']),
    response: {
      200: Type.Object({
        heads,
        total: Type.Integer({ description: 'How many changes there are' }),
        changes: Type.Array(entry),
        next: Type.Union([Type.String({ description: 'URL of the next page, relative to this one' }), Type.Null()])
      }, { description: 'A page of the changes' }),
      304: unchanged,
      ...OPENED
    }
  },
  snapshot: {
    tags,
    summary: 'A document as Automerge saves it',
    params,
    headers: conditionalHeaders,
    response: { ...represented(SNAPSHOT_TYPE, 'All of it, with its history'), ...MISSING }
  },
  events: {
    tags,
    summary: 'Changes of a document, as server-sent events',
    params,
    querystring: Type.Object({
      ...atHeads,
      patches: Type.Optional(Type.Boolean({
        default: true, description: 'Whether events say what has changed, not only that something has'
      }))
    }),
    headers: Type.Object({
      'last-event-id': Type.Optional(Type.String({ description: 'Heads that the client knows, in place of `heads`' }))
    }),
    response: {
      200: { description: 'Events `heads`, `patches` and, last, `end`', content: bytes('text/event-stream') },
      ...MISSING
    }
  },
  create: {
    tags,
    summary: 'Creates a document',
    querystring: Type.Object(message),
    body: { content: { ...read(JSON_TYPE, 'An object: the document’s content'), ...bytes(SNAPSHOT_TYPE) } },
    response: {
      201: Type.Object({ id: Type.String(), url: Type.String({ description: 'For Automerge clients' }), heads }, {
        description: 'It is stored'
      }),
      ...refusals(
        'RELAY_BAD_REQUEST',
        'RELAY_DOCUMENT_INVALID',
        'RELAY_PATCH_INVALID',
        'RELAY_MEDIA_TYPE_UNSUPPORTED',
        'RELAY_DOCUMENT_TOO_LARGE',
        'RELAY_DOCUMENT_BUSY',
        'RELAY_STORAGE_FAILED'
      )
    }
  },
  patch: {
    tags,
    summary: 'Changes a document',
    params,
    querystring: Type.Object({
      ...message,
      heads: Type.Optional(Type.String({
        description: 'The heads that the change is based on; whatever came since is merged with it'
      })),
      ...ifMatch
    }),
    headers: preconditionHeaders,
    body: {
      content: {
        ...read(MERGE_PATCH, 'An object (RFC 7396): its fields are set, those that are null removed'),
        ...read(JSON_PATCH, 'A list of operations (RFC 6902)')
      }
    },
    response: {
      200: Type.Object({ heads }, { description: 'Changed, and on disk' }),
      ...OPENED,
      ...refusals(
        'RELAY_PRECONDITION_FAILED', 'RELAY_PATCH_CONFLICT', 'RELAY_MEDIA_TYPE_UNSUPPORTED', 'RELAY_PATCH_INVALID'
      )
    }
  },
  remove: {
    tags,
    summary: 'Deletes a document for good',
    params,
    querystring: Type.Object(ifMatch),
    headers: preconditionHeaders,
    response: {
      204: { type: 'null', description: 'It is gone' },
      ...MISSING,
      ...refusals('RELAY_ACCESS_DENIED', 'RELAY_PRECONDITION_FAILED')
    }
  }
} as const

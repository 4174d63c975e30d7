import { Type, type TSchema } from 'typebox'
import { bytes, conditionalHeaders, represented } from '../openapi/bytes.ts'
import { refusals } from '../openapi/responses.ts'

// What the dashboard's routes take and answer. Its page is the only client they are made for: they change with it.

const tags = ['Dashboard']
const amount = Type.Object({ messages: Type.Integer(), bytes: Type.Integer() })
const maybe = <Schema extends TSchema>(schema: Schema) => Type.Union([schema, Type.Null()])
const listing = <Schema extends TSchema>(row: Schema) =>
  ({ list: Type.Array(row), isMore: Type.Boolean({ description: 'Ask again with the last id as `after`' }) })

const limit = Type.Integer({ minimum: 1, maximum: 200, default: 50 })
const after = Type.Optional(Type.String({ maxLength: 64, description: 'Start after this id' }))
const params = Type.Object({ id: Type.String() })

export const shell = {
  tags,
  summary: 'The page',
  response: {
    200: { description: 'The page', content: bytes('text/html') },
    304: { type: 'null', description: 'The client’s copy is current' },
    308: { type: 'null', description: 'The page is at the URL without the trailing slash' },
    ...refusals('RELAY_ACCESS_DENIED')
  }
}

export const file = {
  tags,
  hide: true, // named by the page, and others with each version
  params: Type.Object({ file: Type.String() }),
  headers: conditionalHeaders,
  response: represented('application/octet-stream', 'A file of the page')
}

const answer = (response: TSchema, ...codes: Parameters<typeof refusals>) =>
  ({ 200: response, ...refusals('RELAY_ACCESS_DENIED', ...codes) })

export const figures = {
  tags,
  summary: 'Some of the current metrics',
  response: answer(Type.Object({
    time: Type.Integer({ description: 'ms since 1970' }),
    samples: Type.Array(Type.Object({
      name: Type.String(),
      labels: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
      value: Type.Number()
    }))
  }))
}

export const connections = {
  tags,
  summary: 'Connections, the newest first',
  querystring: Type.Object({
    offset: Type.Integer({ minimum: 0, default: 0 }),
    limit,
    search: Type.Optional(Type.String({
      maxLength: 256, description: 'Part of a peer’s id, an address or a principal'
    })),
    document: Type.Optional(Type.String({ description: 'Only those that follow this document' }))
  }),
  response: answer(Type.Object({
    total: Type.Integer(),
    list: Type.Array(Type.Object({
      key: Type.String({ description: 'Its id in the log' }),
      peerId: Type.String({ description: 'Empty until it joined' }),
      address: Type.String(),
      principal: Type.String(),
      since: Type.Integer({ description: 'ms since 1970' }),
      followed: Type.Integer({ description: 'Documents' }),
      backlog: Type.Integer({ description: 'Bytes that the peer has not read yet' }),
      received: amount,
      sent: amount
    }))
  }), 'RELAY_ID_INVALID')
}

const documentRow = Type.Object({
  id: Type.String(),
  bytes: Type.Integer({ description: 'Stored' }),
  files: Type.Integer(),
  isDeleted: Type.Boolean(),
  damage: maybe(Type.String({
    description: 'What is wrong with the stored data, as far as it was read since the start'
  })),
  live: maybe(Type.Object({
    heads: Type.Array(Type.String()),
    changes: Type.Optional(Type.Integer()),
    peers: Type.Integer()
  }, { description: 'When it is in memory' }))
})

export const documents = {
  tags,
  summary: 'Documents in the order of their ids',
  querystring: Type.Object({
    after,
    limit,
    prefix: Type.Optional(Type.String({ maxLength: 64, description: 'Prefix of the ids' })),
    open: Type.Boolean({ default: false, description: 'Only those in memory' }),
    damaged: Type.Boolean({ default: false, description: 'Only damaged ones' })
  }),
  response: answer(Type.Object(listing(documentRow)), 'RELAY_STORAGE_FAILED')
}

export const document = {
  tags,
  summary: 'What is stored of a document, and what is in memory',
  params,
  response: answer(documentRow, 'RELAY_ID_INVALID', 'RELAY_STORAGE_FAILED')
}

const bundleFacts = {
  id: Type.String(), size: Type.Integer(), modified: Type.Unsafe<Date>({ type: 'string', format: 'date-time' })
}

export const bundles = {
  tags,
  summary: 'Bundles in the order of their ids',
  querystring: Type.Object({ after, limit }),
  response: answer(Type.Object({
    ...listing(Type.Object(bundleFacts)),
    list: maybe(Type.Array(Type.Object(bundleFacts), { description: 'Null if the store cannot list its bundles' }))
  }), 'RELAY_STORE_UNAVAILABLE')
}

export const bundle = {
  tags,
  summary: 'The contents of a bundle, as uploaded',
  params,
  response: answer(Type.Object({
    ...bundleFacts,
    etag: Type.String(),
    owner: Type.Optional(Type.String()),
    manifest: Type.Unknown(),
    documents: Type.Array(Type.String())
  }), 'RELAY_ID_INVALID', 'RELAY_BUNDLE_NOT_FOUND', 'RELAY_BUNDLE_INVALID', 'RELAY_STORE_UNAVAILABLE')
}

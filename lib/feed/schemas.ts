import { Type } from 'typebox'
import { refusals } from '../openapi/responses.ts'

const tags = ['Feed']
const list = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { maxItems: 100, description }))
const filter = {
  collection: list('Only commits of these collections; NSIDs, or prefixes that end in `.*`'),
  did: list('Only of these accounts'),
  kind: list('Only events of these kinds: `commit`, `identity`, `account`, `sync`')
}
const number = (description: string) =>
  Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description }))
const params = Type.Object({ letter: Type.String({ maxLength: 64, description: 'The letter’s id' }) })
const json = (description: string) => ({ description, content: { 'application/json': { schema: {} } } })
const state = (description: string) =>
  Type.Object({ status: Type.Union([Type.Literal('ok'), Type.Literal('failing')]) }, { description })
const GONE = refusals('RELAY_FEED_CURSOR_GONE')
const UNKNOWN = refusals('RELAY_DEAD_LETTER_NOT_FOUND')

/** What the routes say of themselves. */
export const schemas = {
  health: {
    tags,
    summary: 'Whether the feed works',
    response: { 200: state('It is'), 503: state('It is not, see its figures') }
  },
  stats: {
    tags,
    summary: 'Figures of the feed',
    response: { 200: json('Source, cursor, records, lookups, sinks; `problems` says what is wrong') }
  },
  gaps: {
    tags,
    summary: 'Parts of the stream that no server has any more',
    response: { 200: json('The gaps, each with both ends') }
  },
  records: {
    tags,
    summary: 'Records, oldest first',
    querystring: Type.Object({
      after: number('The number of the last record that is known; from the oldest on without it'),
      limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 100, description: 'Most records to return' }),
      ...filter
    }),
    response: { 200: json('`records`, what to ask for next as `after`, and the last number there is'), ...GONE }
  },
  events: {
    tags,
    summary: 'Records as they arrive, as server-sent events',
    querystring: Type.Object({
      after: number('The number of the last record that is known; from now on without it'), ...filter
    }),
    headers: Type.Object({
      'last-event-id': Type.Optional(Type.String({
        description: 'The same as `after`, as browsers send it when they reconnect'
      }))
    }),
    response: {
      200: {
        description: '`record` for each record; `gone` at the end if the next records are no longer kept',
        content: { 'text/event-stream': { schema: Type.String() } }
      },
      ...GONE
    }
  },
  seal: {
    tags,
    summary: 'Seals the file being written',
    response: { 200: json('How many files are sealed, and the last') }
  },
  replay: {
    tags,
    summary: 'Sends records to a sink again',
    params: Type.Object({ sink: Type.String({ maxLength: 64, description: 'The sink’s name' }) }),
    querystring: Type.Object({
      after: Type.Integer({
        minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'The number of the record to start after'
      })
    }),
    response: { 202: json('It begins'), ...GONE, ...refusals('RELAY_FEED_SINK_NOT_FOUND') }
  },
  letters: {
    tags, summary: 'Frames and records refused for their content', response: { 200: json('The oldest first') }
  },
  retry: {
    tags,
    summary: 'Retries a dead letter',
    params,
    response: { 200: json('Whether it was taken, and if not, why'), ...UNKNOWN }
  },
  drop: {
    tags,
    summary: 'Drops a dead letter',
    params,
    response: { 204: { type: 'null', description: 'It is gone' }, ...UNKNOWN }
  }
} as const

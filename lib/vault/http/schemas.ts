import { Type } from 'typebox'
import { bytes } from '../../openapi/bytes.ts'
import { refusals } from '../../openapi/responses.ts'

const tags = ['Vault']
const ID = '^[0-9a-f]{64}$'
const params = Type.Object({ id: Type.String({ pattern: ID, description: 'The id of its manifest' }) })
const nullable = (type: ReturnType<typeof Type.String>) => Type.Union([type, Type.Null()])
const json = (description: string) => ({ description, content: { 'application/json': { schema: {} } } })

const entry = Type.Object({
  id: Type.String({ description: 'The id of its manifest' }),
  generation: Type.Integer({ description: 'Counts the objects with this name' }),
  stored: Type.Integer({ description: 'Bytes at all places together' }),
  name: nullable(Type.String({ description: 'null if the object belongs to another key' })),
  kind: nullable(Type.String()),
  size: Type.Union([Type.Integer({ description: 'Bytes' }), Type.Null()]),
  sha256: nullable(Type.String()),
  media: nullable(Type.String()),
  writtenAt: nullable(Type.String())
})

const NOT_FOUND = refusals('RELAY_VAULT_NOT_FOUND')
const READ = refusals(
  'RELAY_VAULT_NOT_FOUND', 'RELAY_VAULT_LOST', 'RELAY_VAULT_UNREACHABLE', 'RELAY_VAULT_DAMAGED',
  'RELAY_VAULT_KEY_WRONG', 'RELAY_VAULT_KEY_MISSING'
)
const WRITE = refusals('RELAY_VAULT_UNHAPPY', 'RELAY_VAULT_KEY_MISSING')

/** What the routes say of themselves. */
export const schemas = {
  list: {
    tags,
    summary: 'What the vault holds',
    response: { 200: Type.Object({ objects: Type.Array(entry) }, { description: 'The newest of each name first' }) }
  },
  put: {
    tags,
    summary: 'Stores an object in the vault',
    querystring: Type.Object({
      name: Type.String({
        minLength: 1, maxLength: 1024, description: 'Its name; storing under a name again makes the next generation'
      }),
      kind: Type.String({ pattern: '^[a-z][a-z-]{0,31}$', default: 'file', description: 'The kind of object' })
    }),
    body: { content: bytes('application/octet-stream') },
    response: {
      201: { ...entry, description: 'Stored: shards and manifest are at their places, and verified' },
      ...refusals('RELAY_VAULT_TOO_LARGE', 'RELAY_TOO_MANY_UPLOADS', 'RELAY_VAULT_UNHAPPY', 'RELAY_VAULT_KEY_MISSING')
    }
  },
  info: {
    tags,
    summary: 'Where an object’s shards are',
    params,
    response: { 200: json('The object, and the place of each shard by segment'), ...NOT_FOUND }
  },
  content: {
    tags,
    summary: 'An object’s bytes',
    params,
    response: { 200: { description: 'All its bytes', content: bytes('application/octet-stream') }, ...READ }
  },
  forget: {
    tags,
    summary: 'Removes an object',
    params,
    response: {
      204: { type: 'null', description: 'It is removed; its shards will be collected' }, ...NOT_FOUND, ...WRITE
    }
  },
  repairOne: {
    tags,
    summary: 'Rebuilds an object’s missing shards',
    params,
    response: { 200: json('What was rebuilt, and the object’s state now'), ...NOT_FOUND }
  },
  repair: {
    tags,
    summary: 'Rebuilds the missing shards of all objects',
    response: { 200: json('What was rebuilt, and what is still missing') }
  },
  scrub: {
    tags,
    summary: 'Has every place check its shards, and repairs',
    response: { 200: json('What was damaged or missing') }
  },
  drill: {
    tags,
    summary: 'Restores one object, as after a disaster',
    response: { 200: json('Which object, and without which domain; `null` if the vault is empty'), ...READ }
  },
  collect: {
    tags,
    summary: 'Removes what no object needs',
    response: { 200: json('How much was removed, or why nothing was') }
  },
  nodes: { tags, summary: 'The vault’s places', response: { 200: json('How well each place answers') } }
} as const

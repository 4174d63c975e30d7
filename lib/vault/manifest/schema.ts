import { Type, type Static } from 'typebox'

const strict = { additionalProperties: false }
const hex = (digits: number) => Type.String({ pattern: `^[0-9a-f]{${digits}}$` })
const base64url = Type.String({ pattern: '^[A-Za-z0-9_-]*$' })
const count = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum })

const segment = Type.Object({
  codec: count(0, 2),
  length: count(1, 2 ** 31),
  plain: count(0, 2 ** 31),
  shards: base64url
}, strict)

const key = Type.Union([
  Type.Object({ mode: Type.Literal('cluster'), fingerprint: hex(16), wrapped: base64url }, strict),
  Type.Object({ mode: Type.Literal('client') }, strict)
])

/** What a manifest holds: see docs/vault.md. */
export const manifestSchema = Type.Object({
  v: Type.Literal(1),
  seal: hex(32),
  k: count(1, 254),
  m: count(1, 254),
  segment: count(1, 2 ** 30),
  survive: count(1, 254),
  generation: count(1, Number.MAX_SAFE_INTEGER),
  before: Type.Union([hex(64), Type.Null()]),
  segments: Type.Array(segment, { minItems: 1 }),
  key,
  sealed: base64url
}, strict)

export type ManifestPayload = Static<typeof manifestSchema>

/** A tombstone: the object of this manifest is forgotten. */
export const tombstoneSchema = Type.Object({ v: Type.Literal(1), forgets: hex(64) }, strict)

export type TombstonePayload = Static<typeof tombstoneSchema>

/** What only those with the object's key can read. `size` in bytes, `sha256` in hex, of the plaintext. */
export const descriptionSchema = Type.Object({
  kind: Type.String({ pattern: '^[a-z][a-z-]{0,31}$' }),
  name: Type.String({ minLength: 1, maxLength: 1024 }),
  size: count(0, Number.MAX_SAFE_INTEGER),
  sha256: hex(64),
  heads: Type.Optional(Type.Array(hex(64))),
  media: Type.Optional(Type.String({ maxLength: 255 })),
  writtenAt: Type.String()
}, strict)

export type Description = Static<typeof descriptionSchema>

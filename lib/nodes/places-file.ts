import { readFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { Compile } from 'typebox/compile'
import { RelayError, messageOf } from '../errors.ts'

const common = {
  id: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }),
  domain: Type.Optional(Type.String({ minLength: 1 })),
  room: Type.Optional(Type.Integer({ minimum: 1 })),
  readOnly: Type.Optional(Type.Boolean())
}
const KINDS = '{ id, kind: "folder", path }, { id, kind: "s3", bucket } or { id, kind: "relay", url }'
const strict = { additionalProperties: false }

const schema = Type.Array(
  Type.Union([
    Type.Object({ ...common, kind: Type.Literal('folder'), path: Type.String({ minLength: 1 }) }, strict),
    Type.Object(
      {
        ...common,
        kind: Type.Literal('s3'),
        bucket: Type.String({ minLength: 1 }),
        endpoint: Type.Optional(Type.String({ pattern: '^https?://' })),
        region: Type.Optional(Type.String({ minLength: 1 })),
        accessKeyId: Type.Optional(Type.String({ minLength: 1 })),
        secretAccessKey: Type.Optional(Type.String({ minLength: 1 }))
      },
      strict
    ),
    Type.Object(
      {
        ...common,
        kind: Type.Literal('relay'),
        url: Type.String({ pattern: '^https?://' }),
        token: Type.Optional(Type.String({ minLength: 1 }))
      },
      strict
    )
  ]),
  { minItems: 1 }
)

/** A place as the operator writes it down. `domain`: what fails together, its id by default. `room`: bytes at most. */
export type PlaceEntry = Static<typeof schema>[number]

const validator = Compile(schema)

/** Reads the list of places. @throws RelayError RELAY_BAD_OPTION that says what is wrong where */
export function readPlaces (file: string): PlaceEntry[] {
  let json: unknown
  try {
    json = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    throw new RelayError('RELAY_BAD_OPTION', `${file} cannot be read as JSON: ${messageOf(cause)}`, { cause })
  }
  return parsePlaces(json, file)
}

/** @throws RelayError RELAY_BAD_OPTION */
export function parsePlaces (json: unknown, file = 'places'): PlaceEntry[] {
  if (!validator.Check(json)) {
    const at = Array.isArray(json) ? json.findIndex(entry => !validator.Check([entry])) : -1
    throw new RelayError(
      'RELAY_BAD_OPTION',
      `${file}: ${at === -1 ? 'not a list of places' : `place ${at + 1} is not ${KINDS}`}`
    )
  }
  const ids = json.map(({ id }) => id)
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice !== undefined) throw new RelayError('RELAY_BAD_OPTION', `${file}: there are two places ${twice}`)
  return json
}

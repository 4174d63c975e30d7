import { readFileSync } from 'node:fs'
import { Type, type Static } from 'typebox'
import { RelayError, messageOf } from '../errors.ts'
import { validator } from '../validate.ts'

const common = {
  id: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }),
  domain: Type.Optional(Type.String({ minLength: 1 })),
  room: Type.Optional(Type.Integer({ minimum: 1 })),
  readOnly: Type.Optional(Type.Boolean())
}
const KINDS = '{ id, kind: "folder", path }, { id, kind: "s3", bucket } or { id, kind: "relay", url }'
const strict = { additionalProperties: false }
const text = Type.String({ minLength: 1 })
const url = Type.String({ pattern: '^https?://' })

const folder = Type.Object({ ...common, kind: Type.Literal('folder'), path: text }, strict)
const relay = Type.Object({ ...common, kind: Type.Literal('relay'), url, token: Type.Optional(text) }, strict)
const s3 = Type.Object({
  ...common,
  kind: Type.Literal('s3'),
  bucket: text,
  endpoint: Type.Optional(url),
  region: Type.Optional(text),
  accessKeyId: Type.Optional(text),
  secretAccessKey: Type.Optional(text)
}, strict)

/** A place as the operator writes it down. `domain`: what fails together, its id by default. `room`: bytes at most. */
export type PlaceEntry = Static<typeof folder> | Static<typeof relay> | Static<typeof s3>

const fault = (path: string, problem: string): Error => new TypeError([path, problem].filter(Boolean).join(' '))
const checks: Readonly<Record<string, (given: unknown) => PlaceEntry>> = {
  folder: validator<Static<typeof folder>>(folder, fault),
  relay: validator<Static<typeof relay>>(relay, fault),
  s3: validator<Static<typeof s3>>(s3, fault)
}

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
  if (!Array.isArray(json) || json.length === 0) {
    throw new RelayError('RELAY_BAD_OPTION', `${file}: not a list of places`)
  }
  const places = json.map((entry: unknown, at) => checked(entry, `${file}: place ${at + 1}`))
  const ids = places.map(({ id }) => id)
  const twice = ids.find((id, at) => ids.indexOf(id) !== at)
  if (twice !== undefined) throw new RelayError('RELAY_BAD_OPTION', `${file}: there are two places ${twice}`)
  return places
}

function checked (entry: unknown, which: string): PlaceEntry {
  const { kind } = Object(entry) as { kind?: unknown }
  const check = typeof kind === 'string' && Object.hasOwn(checks, kind) ? checks[kind] : undefined
  if (check === undefined) throw new RelayError('RELAY_BAD_OPTION', `${which} is not ${KINDS}`)
  try {
    return check(entry)
  } catch (cause) {
    throw new RelayError('RELAY_BAD_OPTION', `${which} is not ${KINDS}: ${messageOf(cause)}`, { cause })
  }
}

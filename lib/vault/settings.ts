import path from 'node:path'
import { Type, type Static } from 'typebox'
import { badOption } from '../errors.ts'
import { parsePlaces, readPlaces, type PlaceEntry } from '../nodes/places-file.ts'
import { refuseUnknown, validator } from '../validate.ts'
import type { Geometry } from './context.ts'

const MiB = 1024 * 1024
const HOUR = 3_600_000 // ms

const count = (value: number, minimum: number, maximum: number, description: string) =>
  Type.Integer({ default: value, minimum, maximum, description })
const some = (description: string) => Type.Optional(Type.Integer({ minimum: 1, maximum: 254, description }))

/** Every setting of the vault that can be written down, its default and its meaning. */
export const vaultSchema = Type.Object({
  placesFile: Type.Optional(Type.String({
    minLength: 1,
    description: 'File with a JSON list of the places that hold the copies: ' +
      '`[{ "id", "kind", "path" | "bucket" | "url", "domain" }]`; turns the vault on'
  })),
  keyFile: Type.Optional(Type.String({
    minLength: 1, description: 'File with the vault’s key; by default, `vault/key` in the storage folder'
  })),
  data: some('Shards that restore a segment; by default 1, 2 or 8, depending on the number of domains'),
  parity: some('Shards of a segment that may be lost; by default 1, 1 or 4, depending on the number of domains'),
  survive: count(1, 1, 254, 'Domains that may be lost at once'),
  segment: count(4 * MiB, 64 * 1024, 4 * MiB, 'Size of a segment, in bytes'),
  grace: count(
    24 * HOUR, 0, 2 ** 31 - 1, 'How long a place may be unavailable before its shards are rebuilt elsewhere, in ms'
  ),
  reserve: Type.Number({
    default: 0.05, minimum: 0, maximum: 0.9, description: 'Share of a disk that the vault never fills'
  }),
  scrubDays: count(30, 1, 3_650, 'Number of days over which every shard is read once'),
  nightly: Type.Optional(Type.String({
    pattern: '^([01]\\d|2[0-3]):[0-5]\\d$',
    description: 'Time of day, `HH:MM`, at which everything stored is backed up into the vault'
  })),
  keepBackups: count(30, 1, 10_000, 'How many backups `vault.nightly` keeps'),
  maxObject: count(1024 * MiB, 1, 16_384 * MiB, 'Largest object accepted over HTTP, in bytes')
}, { additionalProperties: false })

type Settings = Static<typeof vaultSchema>

/** All settings, filled in. */
export interface VaultSettings {
  places: readonly PlaceEntry[]
  keyFile: string
  geometry: Geometry
  grace: number
  reserve: number
  maxObject: number
  scrubDays: number
  /** Minutes after midnight */
  nightly: number | undefined
  keepBackups: number
}

/** What a host may give. `places`: the list itself, instead of a file */
export type VaultOptions = { [Key in keyof Settings]?: Settings[Key] | undefined } &
  { places?: readonly PlaceEntry[] | undefined }

const bad = (name: string, problem: string): Error => badOption(`vault.${name}`, problem)
const validate = validator<Settings>(vaultSchema, bad)
const NAMES = [...Object.keys(vaultSchema.properties), 'places']

/**
 * Checks and fills in options.
 * @param storage the relay's storage folder
 * @throws RelayError RELAY_BAD_OPTION naming the option, also one that is unknown
 */
export function parseVaultOptions (given: VaultOptions, storage: string): VaultSettings {
  refuseUnknown(given, NAMES, bad)
  const { places: list, ...rest } = given
  const { placesFile, keyFile, data, parity, survive, segment, nightly, ...settings } = validate(rest)
  if ((placesFile === undefined) === (list === undefined)) {
    throw bad('placesFile', 'give a file of places, or places, and not both')
  }
  const places = placesFile === undefined ? parsePlaces(list, 'vault.places') : readPlaces(placesFile)
  if ((data === undefined) !== (parity === undefined)) throw bad('data', 'vault.data and vault.parity go together')
  const [k, m] = data === undefined || parity === undefined ? usualFor(places) : [data, parity]
  if (k + m > 255) throw bad('data', `${k} and ${m} are more than 255 shards`)
  return {
    ...settings,
    places,
    keyFile: path.resolve(keyFile ?? path.join(storage, 'vault', 'key')),
    geometry: { k, m, survive, segment },
    nightly: nightly === undefined ? undefined : Number(nightly.slice(0, 2)) * 60 + Number(nightly.slice(3))
  }
}

/** Shards for so many domains: fewer cost less room where more would lie together anyway. */
function usualFor (places: readonly PlaceEntry[]): [k: number, m: number] {
  const domains = new Set(places.filter(({ readOnly }) => readOnly !== true).map(({ id, domain = id }) => domain)).size
  return domains <= 2 ? [1, 1] : domains === 3 ? [2, 1] : [8, 4]
}

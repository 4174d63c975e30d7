import { calculateJwkThumbprint, CompactSign, compactVerify, decodeProtectedHeader, importJWK, type JWK } from 'jose'
import { Compile } from 'typebox/compile'
import type { Codec } from '../../ces/codec/codec.ts'
import { checkGeometry } from '../../ces/coding/reed-solomon.ts'
import type { Segment } from '../../ces/segment.ts'
import { RelayError } from '../../errors.ts'
import { blockName } from '../../shards/block-name.ts'
import { manifestSchema, tombstoneSchema, type ManifestPayload, type TombstonePayload } from './schema.ts'
import type { Writer } from './writer.ts'

const NAME_BYTES = 32
const TYPES = { manifest: 'vault-manifest+jws', tombstone: 'vault-tombstone+jws' } as const
const payloads = { manifest: Compile(manifestSchema), tombstone: Compile(tombstoneSchema) }

/** A manifest that was read: its id, whose signature it has, what it says, its bytes as they are stored. */
export interface Manifest {
  readonly id: string
  readonly writer: string
  readonly payload: ManifestPayload
  readonly segments: readonly Segment[]
  readonly bytes: Uint8Array
}

export interface Tombstone {
  readonly id: string
  readonly writer: string
  readonly payload: TombstonePayload
  readonly bytes: Uint8Array
}

/** Signs what a manifest or a tombstone says: a JWS in compact form, as ASCII. */
export async function sign (
  type: keyof typeof TYPES,
  payload: ManifestPayload | TombstonePayload,
  { key, jwk, kid }: Writer
): Promise<Uint8Array> {
  const signer = new CompactSign(Buffer.from(JSON.stringify(payload)))
  return Buffer.from(
    await signer.setProtectedHeader({ alg: 'EdDSA', typ: TYPES[type], kid, jwk }).sign(key),
    'latin1'
  )
}

/**
 * Reads a manifest or a tombstone and verifies its signature, over the bytes as they are.
 * @throws RelayError RELAY_MANIFEST_INVALID
 */
export async function readManifest (bytes: Uint8Array): Promise<{ manifest: Manifest } | { tombstone: Tombstone }> {
  try {
    const text = Buffer.from(bytes).toString('latin1')
    const { typ, kid, jwk, alg } = decodeProtectedHeader(text)
    if (alg !== 'EdDSA' || jwk === undefined || kid !== (await calculateJwkThumbprint(jwk as JWK))) {
      throw new Error('its header names no key')
    }
    const { payload } = await compactVerify(text, await importJWK(jwk as JWK, 'EdDSA'), { algorithms: ['EdDSA'] })
    const json: unknown = JSON.parse(Buffer.from(payload).toString())
    const common = { id: blockName(bytes), writer: kid, bytes }
    if (typ === TYPES.tombstone) {
      return { tombstone: { ...common, payload: checked<TombstonePayload>(payloads.tombstone, json) } }
    }
    if (typ !== TYPES.manifest) throw new Error(`it is of the type ${typ}`)
    const manifest = checked<ManifestPayload>(payloads.manifest, json)
    return { manifest: { ...common, payload: manifest, segments: segmentsOf(manifest) } }
  } catch (cause) {
    throw new RelayError(
      'RELAY_MANIFEST_INVALID',
      `not a manifest: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause }
    )
  }
}

function checked<T> (validator: { Check: (value: unknown) => boolean }, json: unknown): T {
  if (!validator.Check(json)) throw new Error('it does not say what a manifest says')
  return json as T
}

/** The segments of an object with all that is known of them. */
function segmentsOf ({ seal, k, m, segment, segments }: ManifestPayload): Segment[] {
  checkGeometry(k, m)
  return segments.map(({ codec, length, plain, shards }, number) => {
    const isLast = number === segments.length - 1
    if (plain > segment || (!isLast && plain !== segment)) throw new Error(`segment ${number} has ${plain} bytes`)
    const names = Buffer.from(shards, 'base64url')
    if (names.length !== (k + m) * NAME_BYTES) {
      throw new Error(`segment ${number} names ${names.length / NAME_BYTES} shards`)
    }
    return {
      seal: Buffer.from(seal, 'hex'),
      number,
      isLast,
      k,
      m,
      codec: codec as Codec,
      plain,
      length,
      names: Array.from({ length: k + m }, (_, at) => names.subarray(at * NAME_BYTES, (at + 1) * NAME_BYTES))
    }
  })
}

/** The name of a shard in hex, as stores have it. */
export const shardName = (segment: Segment, index: number): string =>
  Buffer.from(segment.names[index]!).toString('hex')

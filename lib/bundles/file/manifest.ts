import { Ajv, type ValidateFunction } from 'ajv'
import { Type, type Static } from 'typebox'
import { messageOf } from '../../errors.ts'
import { isDocumentId, type DocumentId } from '../../ids.ts'
import { invalidBundle, quoted } from './refusal.ts'

/** The manifest's place in a bundle. */
export const MANIFEST_PATH = 'manifest.json'

/** Largest manifest read, in bytes. */
export const MAX_MANIFEST_BYTES = 1024 * 1024

const number = Type.Integer({ minimum: 0, maximum: 0xffff_ffff })

/**
 * Manifest version 1, as Tonk's clients read it (tonk `packages/core/src/bundle.rs`, struct `Manifest`): they refuse a
 * bundle that lacks a required key or has one of another type, and ignore keys they do not know.
 */
const schema = Type.Object({
  manifestVersion: number,
  version: Type.Object({ major: number, minor: number }),
  rootId: Type.String(),
  entrypoints: Type.Array(Type.String()),
  networkUris: Type.Array(Type.String()),
  xNotes: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  xVendor: Type.Optional(Type.Unknown())
})

export type Manifest = Static<typeof schema> & { rootId: DocumentId }

let compiled: ValidateFunction<Static<typeof schema>> | undefined

/**
 * Parses and validates a manifest's bytes. A byte order mark is refused as Tonk's clients refuse it.
 * @throws RelayError RELAY_BUNDLE_INVALID, in Tonk's relays' words where they have some.
 */
export function parseManifest (bytes: Uint8Array): Manifest {
  const manifest = parseJson(bytes)
  const { rootId, manifestVersion } = (manifest ?? {}) as { rootId?: unknown, manifestVersion?: unknown }
  if (typeof manifestVersion === 'number' && manifestVersion !== 1) {
    throw invalidBundle(`Unsupported manifest version: ${manifestVersion}. Expected version 1.`)
  }
  if (rootId === undefined || rootId === null || rootId === '') throw invalidBundle('rootId not found in manifest')
  const valid = compiled ??= new Ajv().compile<Static<typeof schema>>(schema) // not while the relay starts
  if (!valid(manifest)) {
    const { instancePath, message } = valid.errors![0]!
    const at = instancePath.slice(1).replaceAll('/', '.')
    throw invalidBundle(`${MANIFEST_PATH}: ${at === '' ? message : `${at} ${message}`}`)
  }
  if (!isDocumentId(rootId)) {
    throw invalidBundle(`${MANIFEST_PATH}: rootId ${quoted(String(rootId))} is not a document id`)
  }
  return manifest as Manifest
}

function parseJson (bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (error) {
    throw invalidBundle(`${MANIFEST_PATH} is not JSON: ${messageOf(error)}`, error)
  }
}

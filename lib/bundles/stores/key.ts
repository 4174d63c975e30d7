import { isDocumentId, type DocumentId } from '../../ids.ts'

/** The object key of a bundle, the same in S3 and below a local folder, as Tonk's relays name it. */
export const bundleKey = (id: DocumentId): string => `${BUNDLES}${id}.tonk`

/** What the key of every bundle begins with. */
export const BUNDLES = 'bundles/'

/** Of which bundle it is the key; undefined of another object's. */
export function idOfKey (key: string): DocumentId | undefined {
  const id = key.startsWith(BUNDLES) && key.endsWith('.tonk') ? key.slice(BUNDLES.length, -'.tonk'.length) : undefined
  return isDocumentId(id) ? id : undefined
}

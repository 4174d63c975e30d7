import type { DocumentId } from '../ids.ts'

/** The object key of a bundle, the same in S3 and below a local folder, as Tonk's relays name it. */
export const bundleKey = (id: DocumentId): string => `bundles/${id}.tonk`

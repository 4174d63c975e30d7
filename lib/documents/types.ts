// The media types of bodies.

export const JSON_TYPE = 'application/json'
export const SNAPSHOT_TYPE = 'application/octet-stream'
/** RFC 7396 */
export const MERGE_PATCH = 'application/merge-patch+json'
/** RFC 6902 */
export const JSON_PATCH = 'application/json-patch+json'
export type PatchType = typeof MERGE_PATCH | typeof JSON_PATCH

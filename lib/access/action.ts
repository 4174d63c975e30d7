import type { DocumentId } from '../ids.ts'

/** What somebody may want to do. `administer`: what is the operator's, bundles of others included. */
export const ACTIONS = [
  'document:read', 'document:write', 'document:create', 'document:delete',
  'bundle:read', 'bundle:create', 'bundle:replace', 'bundle:delete',
  'feed:read', 'feed:manage', 'vault:read', 'vault:write', 'vault:manage', 'metrics:read', 'administer'
] as const

export type Action = typeof ACTIONS[number]

/** What it is done to. */
export interface Resource {
  /** The document's or the bundle's; without one the question is whether it may be done to any */
  readonly id?: DocumentId | undefined
  /** Whether the document is part of a bundle: in it when it was uploaded, or reached from it since */
  isIn (bundle: DocumentId): Promise<boolean>
}

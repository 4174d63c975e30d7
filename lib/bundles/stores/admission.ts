import type { DocumentId } from '../../ids.ts'
import type { StoredBundle } from './store.ts'

/** An upload, checked and not stored yet. */
export interface Arrival {
  readonly id: DocumentId
  /** The documents in it */
  readonly documents: readonly DocumentId[]
}

/** What is said about an upload before it is stored. */
export interface Admission {
  /** Whose the bundle is when it is nobody's yet */
  readonly owner?: string | undefined
  /** Rejects when it must not be stored. @param stored what it would replace; only to be looked at */
  permit (arrival: Arrival, stored: StoredBundle | null): Promise<void>
}

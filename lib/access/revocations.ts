import { typedId } from './identity/principal-id.ts'

/** Somebody is let in no more, or what somebody (without a name: anybody) may do has changed. */
export type RevocationEvent = { type: 'revoked', id: string } | { type: 'changed', id: string | undefined }

/**
 * Who is let in no more although the token is good. A host makes one, gives it as `revocations` and keeps it; the same
 * may serve several relays. What it says holds at once, for live connections too, and until the process ends.
 */
export class Revocations {
  readonly #revoked = new Set<string>()
  readonly #listeners = new Set<(event: RevocationEvent) => void>()

  /** Closes the principal's connections (RELAY_ACCESS_REVOKED) and refuses it. */
  revoke (id: string): void {
    this.#revoked.add(typedId(id))
    this.#tell({ type: 'revoked', id: typedId(id) })
  }

  /** Lets the principal in again. */
  reinstate (id: string): void { this.#revoked.delete(typedId(id)) }

  /** Asks anew what a principal, or anybody, may do: documents that it may read no more are read no more. */
  refresh (id?: string): void { this.#tell({ type: 'changed', id: id === undefined ? undefined : typedId(id) }) }

  has (id: string): boolean { return this.#revoked.has(typedId(id)) }

  /** Calls back after each event; returns the way to stop. */
  onEvent (listener: (event: RevocationEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  #tell (event: RevocationEvent): void {
    for (const listener of this.#listeners) listener(event)
  }
}

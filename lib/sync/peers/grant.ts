import type { RelayError } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'

/** What a peer may do with a document: be told of it, change it when it is there, bring it when it is not. */
export interface Rights { readonly read: boolean, readonly write: boolean, readonly create: boolean }

export const ALL_RIGHTS: Rights = { read: true, write: true, create: true }

/** A connection, as its grant sees it. */
export interface Granted {
  /** Closes it. */
  refuse (error: RelayError): void
  /** Its rights are others now. */
  reassess (): void
}

/** What the peer of one connection may do. A connection without a grant may do everything. */
export interface Grant {
  /** Whether the peer reads the relay's own frames. */
  readonly readsNotices: boolean
  /** ms since 1970 after which the connection is closed */
  readonly expires: number | undefined
  /** The connection is there, and is over. */
  attach (connection: Granted): void
  detach (): void
  /** At once where that is known; never throws. While it rejects the document is withheld. */
  rights (id: DocumentId): Rights | Promise<Rights>
  /** The peer tried what it may not do. */
  denied (): void
  /** The peer has shown a new token. Rejects with a RelayError that the peer is told; the old one counts on then. */
  renew (token: string): Promise<void>
}

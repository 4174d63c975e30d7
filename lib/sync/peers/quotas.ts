import { RelayError } from '../../errors.ts'
import type { DocumentId } from '../../ids.ts'
import type { LimitName, LimitsSettings } from '../../limits/options.ts'
import type { Refusals } from '../../limits/refusals.ts'
import { TokenBucket } from '../../limits/token-bucket.ts'
import type { PeerConnection } from './connection.ts'
import type { History } from '../document/history.ts'

/** What is used of the relay's limits. */
export interface QuotaParts {
  readonly settings: Pick<
    LimitsSettings, 'documentsPerConnection' | 'documentSize' | 'documentChanges' | 'ephemeralRate'
  >
  readonly refusals: Refusals
}

/** Why a document takes no more changes. */
export interface Full { readonly limit: LimitName, readonly error: RelayError }

const OPENING_BYTES = 16 * 1024 // bytes that a document counts as that a peer asks for first: the disk is looked at
const PORTION_BYTES = 4096 // bytes of an ephemeral message that count as one

/**
 * How much one peer may have of the engine. A peer in the relay's own process is its host's, and may have everything.
 */
export class Quotas {
  readonly #parts: QuotaParts
  readonly #ephemeral = new WeakMap<PeerConnection, TokenBucket>()

  constructor (parts: QuotaParts) {
    this.#parts = parts
  }

  /**
   * Whether a peer may follow a document, beside those it follows already; if not, it is answered as if there were
   * none.
   */
  admits (peer: PeerConnection, id: DocumentId): boolean {
    const { settings: { documentsPerConnection: max }, refusals } = this.#parts
    const { followed, source } = peer
    if (source === undefined || followed.has(id)) return true
    peer.charge(OPENING_BYTES)
    if (followed.size < max) return true
    const error = new RelayError('RELAY_TOO_MANY_DOCUMENTS', `A connection follows at most ${max} documents`)
    refusals.count('documentsPerConnection')
    peer.send({ type: 'doc-unavailable', documentId: id })
    peer.deny(id, error)
    return false
  }

  /** Whether an ephemeral message of so many bytes is passed on. */
  passes (peer: PeerConnection, bytes: number): boolean {
    const { settings: { ephemeralRate: rate }, refusals } = this.#parts
    if (peer.source === undefined) return true
    const now = performance.now()
    let bucket = this.#ephemeral.get(peer)
    if (bucket === undefined) this.#ephemeral.set(peer, bucket = new TokenBucket(rate, now))
    if (bucket.tryDraw(Math.ceil(bytes / PORTION_BYTES), now)) return true
    refusals.meet('ephemeralRate', peer.source, new RelayError(
      'RELAY_RATE_LIMITED', `More than ${rate} ephemeral messages a second from one connection: they are dropped`
    ))
    return false
  }

  /** Which limit a document would be past with some more changes. */
  past ({ size, changes = 0 }: History, more: Uint8Array[]): Full | undefined {
    const { documentSize, documentChanges } = this.#parts.settings
    const full = (limit: LimitName, most: string): Full => {
      const text = `The document accepts no more changes: it may have at most ${most}`
      return { limit, error: new RelayError('RELAY_DOCUMENT_TOO_LARGE', text) }
    }
    if (changes + more.length > documentChanges) return full('documentChanges', `${documentChanges} of them`)
    const sum = more.reduce((sum, { length }) => sum + length, size)
    return sum > documentSize ? full('documentSize', `${documentSize} bytes`) : undefined
  }

  /** What a peer is told whose changes are not taken; it is counted. */
  refusal ({ limit, error }: Full): RelayError {
    this.#parts.refusals.count(limit)
    return error
  }
}

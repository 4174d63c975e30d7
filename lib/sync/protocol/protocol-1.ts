import type { Hash } from '../../automerge/format/hash.ts'
import type { DocumentId } from '../../ids.ts'
import { PROTOCOL_VERSION, encodeFrameHead, type SyncFrame } from '../../wire/frame.ts'
import { FLAGS, decodeSyncMessage, encodeSyncMessage, filterSize, type SyncMessage } from '../../wire/sync-message.ts'
import type { RequestForm, Statement, SyncProtocol } from './sync-protocol.ts'

const NOTHING = new Uint8Array()
/** Who is told no flags sends what it makes as changes, not as a whole document. */
const REQUEST_FLAGS: Record<RequestForm, number | undefined> = {
  changes: undefined,
  whole: FLAGS.supportsSyncReset,
  again: FLAGS.supportsSyncReset | FLAGS.syncReset
}

/** Version "1" of automerge-repo's protocol: Automerge's sync messages in frames of CBOR. */
export class Protocol1 implements SyncProtocol {
  readonly version = PROTOCOL_VERSION
  readonly #senderId: string

  /** @param senderId the relay's peer id */
  constructor (senderId: string) {
    this.#senderId = senderId
  }

  read ({ type, data }: SyncFrame): Statement {
    const { heads, need, have, changes, flags } = decodeSyncMessage(data)
    return {
      isRequest: type === 'request',
      heads,
      changes,
      needsChanges: need.length > 0,
      hasFlags: flags !== undefined && (flags & (FLAGS.readOnly | FLAGS.syncReset)) !== 0,
      claims: have.reduce((sum, { bloom }) => sum + filterSize(bloom), 0),
      readsDocuments: flags !== undefined,
      data
    }
  }

  withoutChanges (statement: Statement): Statement {
    const data = encodeSyncMessage({ ...decodeSyncMessage(statement.data), changes: [] })
    return { ...statement, changes: [], data }
  }

  changes (id: DocumentId, heads: Hash[], changes: Uint8Array[], isReadOnly: boolean): Uint8Array {
    return this.#frame(id, stateMessage(heads, changes, isReadOnly))
  }

  document (id: DocumentId, heads: Hash[], chunks: Uint8Array, isReadOnly: boolean): Uint8Array {
    return this.#frame(id, { ...stateMessage(heads, [chunks], isReadOnly), version: 2 })
  }

  request (id: DocumentId, heads: Hash[], form: RequestForm): Uint8Array {
    const have = [{ lastSync: [], bloom: NOTHING }]
    return this.#frame(id, { version: 1, heads: [], need: heads, have, changes: [], flags: REQUEST_FLAGS[form] })
  }

  heads (id: DocumentId, heads: Hash[], isReadOnly: boolean): Uint8Array {
    const isPlain = heads.length === 0 && !isReadOnly
    return this.#frame(id, headsMessage(heads, isPlain ? undefined : flagsFor(isReadOnly)))
  }

  invitation (id: DocumentId, heads: Hash[], isReadOnly: boolean): Uint8Array {
    return this.#frame(id, headsMessage(heads, flagsFor(isReadOnly) | FLAGS.syncReset))
  }

  message (id: DocumentId, data: Uint8Array): Uint8Array {
    return encodeFrameHead({ type: 'sync', senderId: this.#senderId, documentId: id, data })
  }

  #frame (id: DocumentId, message: SyncMessage): Uint8Array { return this.message(id, encodeSyncMessage(message)) }
}

const flagsFor = (isReadOnly: boolean): number =>
  isReadOnly ? FLAGS.supportsSyncReset | FLAGS.readOnly : FLAGS.supportsSyncReset

/** We are at these heads, you have what is before these changes. */
const stateMessage = (heads: Hash[], changes: Uint8Array[], isReadOnly: boolean): SyncMessage =>
  ({ version: 1, heads, need: [], have: [{ lastSync: heads, bloom: NOTHING }], changes, flags: flagsFor(isReadOnly) })

/** We are at these heads, and know nothing of what you have. */
const headsMessage = (heads: Hash[], flags: number | undefined): SyncMessage =>
  ({ version: 1, heads, need: [], have: [{ lastSync: [], bloom: NOTHING }], changes: [], flags })

import { verifyChunks } from '../automerge/verify.ts'
import { RelayError, messageOf } from '../errors.ts'
import { decodeSyncMessage } from './sync-codec.ts'

/**
 * Reads an Automerge sync message and everything in it, so that what cannot be read never reaches a document.
 * @returns whether it carries changes
 * @throws RelayError RELAY_SYNC_INVALID
 */
export function checkSyncMessage (data: Uint8Array): boolean {
  const { changes } = decodeSyncMessage(data)
  try {
    for (const bytes of changes) verifyChunks(bytes)
  } catch (cause) {
    throw new RelayError('RELAY_SYNC_INVALID', `not a valid sync message: ${messageOf(cause)}`, { cause })
  }
  return changes.length > 0
}

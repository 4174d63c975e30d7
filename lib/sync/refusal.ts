import { RelayError } from '../errors.ts'

/** What a peer is closed with. */
export function refusalOf (cause: unknown): RelayError {
  if (!(cause instanceof RelayError)) return new RelayError('RELAY_INTERNAL', 'internal error', { cause })
  return cause.code === 'RELAY_DOCUMENT_INVALID' ? new RelayError('RELAY_SYNC_INVALID', cause.message, { cause }) : cause
}

/** What a peer is told of changes that it may not make. */
export const changeDenied = (): RelayError => new RelayError('RELAY_ACCESS_DENIED', 'You may not change this document')

import { RelayError } from '../errors.ts'

/** What a peer is closed with. */
export function refusalOf (cause: unknown): RelayError {
  if (!(cause instanceof RelayError)) return new RelayError('RELAY_INTERNAL', 'internal error', { cause })
  return cause.code === 'RELAY_DOCUMENT_INVALID'
    ? new RelayError('RELAY_SYNC_INVALID', cause.message, { cause })
    : cause
}

/** Whether it is a document's own fault and not its peer's, who must not pay for it with its other documents. */
export const blamesDocument = (error: RelayError): boolean =>
  ['RELAY_DOCUMENT_DAMAGED', 'RELAY_STORAGE_FAILED', 'RELAY_DOCUMENT_BUSY', 'RELAY_INTERNAL'].includes(error.code)

/** What a peer is told of changes that it may not make. */
export const changeDenied = (): RelayError => new RelayError('RELAY_ACCESS_DENIED', 'You may not change this document')

/** What a peer is told that reads no messages as large as one about a document. */
export const messageTooLarge = (bytes: number): RelayError => new RelayError(
  'RELAY_DOCUMENT_TOO_LARGE', `A message of ${bytes} bytes about the document is larger than what you accept`
)

import { RelayError } from '../../errors.ts'

/** Reads a JSON Pointer (RFC 6901). @throws RelayError RELAY_PATCH_INVALID */
export function parsePointer (text: string): string[] {
  if (text === '') return []
  if (!text.startsWith('/') || /~(?![01])/.test(text)) {
    throw new RelayError('RELAY_PATCH_INVALID', `not a JSON Pointer: ${text.slice(0, 100)}`)
  }
  return text.slice(1).split('/').map(token => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

/** A pointer to a field or an element of what another points to. */
export const pointerTo = (pointer: string, token: string | number): string =>
  `${pointer}/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`
